from __future__ import annotations

from pathlib import Path

import pytest

from limpet.core.errors import DataError
from limpet.data.layouts import VideoFolders
from limpet.evaluation.protocols.evaluation_protocol import files_of, require_labels

from ..tiny import make_sequence, moving_box, save_ids


@pytest.fixture
def video(tmp_path: Path) -> VideoFolders:
    make_sequence(tmp_path, "one", moving_box(4))
    return VideoFolders("one", tmp_path / "JPEGImages/480p/one", tmp_path / "Annotations/480p/one")


def test_files_belong_together_by_their_names(video: VideoFolders) -> None:
    (video.masks / "00001.png").unlink()
    (video.masks / "._00000.png").touch()
    files = files_of(video, ["00000", "00002"])
    assert sorted(files.masks) == [0, 2, 3] and files.listed == (0, 2) and len(files.frames) == 4
    save_ids(video.masks / "00009.png", moving_box(1)[0])
    with pytest.raises(DataError, match=r"masks or listed frames without a frame in .*: 00009"):
        files_of(video)


def test_labels_are_all_there_or_all_withheld(video: VideoFolders) -> None:
    assert require_labels(files_of(video), [0], range(4))
    (video.masks / "00001.png").unlink()
    with pytest.raises(DataError, match="'one' lacks the annotations of 1 of 4 frames"):
        require_labels(files_of(video), [0], range(4))
    for name in ("00002", "00003"):
        (video.masks / f"{name}.png").unlink()
    assert not require_labels(files_of(video), [0], range(4))
