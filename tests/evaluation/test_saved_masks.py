from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import DataError
from limpet.evaluation.protocols.burst import BurstProtocol
from limpet.evaluation.protocols.sa_v_masklets import SaVProtocol
from limpet.evaluation.protocols.youtube_vos import YouTubeVosProtocol
from limpet.evaluation.saved_masks import (
    answer_files,
    find_predictions,
    read_answer,
    save_answer,
    scored_files,
)
from limpet.evaluation.video_task import LabelMap

from .tiny import LATE, box, make_burst, make_sa_v, make_youtube_vos, save_ids


def test_label_maps_keep_ids_and_the_data_sets_colours(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path)
    task = YouTubeVosProtocol(tmp_path).task("late")
    save_answer(tmp_path / "out", task, 4, LabelMap(LATE[2]), task.palette())
    read = read_answer(answer_files(tmp_path / "out", task, 4), task)
    assert isinstance(read, LabelMap) and np.array_equal(read.labels, LATE[2])
    with Image.open(tmp_path / "out/late/00004.png") as image:
        assert image.mode == "P" and (image.getpalette() or [])[:18] == (task.palette() or [])[:18]


def test_overlapping_masks_have_a_file_each(tmp_path: Path) -> None:
    make_sa_v(tmp_path)
    task = SaVProtocol(tmp_path).task("person")
    save_answer(tmp_path / "out", task, 8, task.masks.read(8), None)
    assert sorted(p.relative_to(tmp_path).as_posix() for p in (tmp_path / "out").rglob("*.png")) == [
        "out/person/000/00008.png",
        "out/person/001/00008.png",
    ]
    read, truth = read_answer(answer_files(tmp_path / "out", task, 8), task), task.masks.read(8)
    assert all(np.array_equal(read.plane(number), truth.plane(number)) for number in (1, 2))


def test_another_size_is_refused(tmp_path: Path) -> None:
    make_youtube_vos(tmp_path)
    save_ids(tmp_path / "out/late/00004.png", box(2, 2, size=(12, 20)))
    task = YouTubeVosProtocol(tmp_path).task("late")
    with pytest.raises(DataError, match=r"00004\.png is 12x20, its annotation 24x40"):
        read_answer(answer_files(tmp_path / "out", task, 4), task)


def test_only_scored_objects_need_files(tmp_path: Path) -> None:
    make_burst(tmp_path)
    task = BurstProtocol(tmp_path).task("HACS/swim")
    folder = tmp_path / "out/HACS/swim"
    assert scored_files(tmp_path / "out", task, 3) == {1: folder / "004/frame0003.png"}, (
        "track 9 begins there"
    )
    assert len(scored_files(tmp_path / "out", task, 6)) == 2 == len(answer_files(tmp_path / "out", task, 3))


def test_predictions_may_lie_in_one_more_folder(tmp_path: Path) -> None:
    (tmp_path / "run/Annotations/late").mkdir(parents=True)
    assert find_predictions(tmp_path / "run", ("late",)) == tmp_path / "run/Annotations"
    assert find_predictions(tmp_path / "run/Annotations", ("late",)) == tmp_path / "run/Annotations"
    with pytest.raises(DataError, match="there is no folder of predictions"):
        find_predictions(tmp_path / "gone", ("late",))
