from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from limpet.evaluation.evaluate_videos import run_video
from limpet.evaluation.protocols.youtube_vos import YouTubeVosProtocol
from limpet.evaluation.video_result import scores_of
from limpet.evaluation.worst_frames import worst_of_each_part, write_worst_frames

from .tiny import CopiesMasks, make_youtube_vos


def test_the_worst_videos_come_first_and_old_pictures_go(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path / "data", labelled=True)
    protocol = YouTubeVosProtocol(tmp_path / "data")
    masks = tmp_path / "masks"
    scores = scores_of(
        [run_video(CopiesMasks(), protocol.task(n), save_masks=masks) for n in protocol.names()]
    )
    (tmp_path / "worst").mkdir()
    (tmp_path / "worst/03-old.png").touch()
    written = write_worst_frames(scores, protocol, masks, tmp_path / "worst")
    assert [path.name for path in written] == ["01-plain.png", "02-late.png"]
    assert sorted(path.name for path in (tmp_path / "worst").iterdir()) == ["01-plain.png", "02-late.png"]
    picture = np.array(Image.open(written[1]))
    assert picture.shape[1] == 12 + 4 * (320 + 12), "four frames beside each other"
    top, bottom = picture[40:200, 12:332], picture[244:404, 12:332]
    assert top.std() > 0 and not np.array_equal(top, bottom), "truth and prediction differ"


def test_each_part_gives_its_worst_frame() -> None:
    assert worst_of_each_part([0.5, 0.4], 4) == [0, 1]
    assert worst_of_each_part([0.1, 0.2, 0.3, 0.2, 0.9, 0.8, 0.7, 0.6], 4) == [0, 3, 5, 7]
