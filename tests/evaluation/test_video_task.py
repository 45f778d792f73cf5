from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import DataError
from limpet.evaluation.video_task import (
    LabelMap,
    LabelMapFiles,
    ObjectMaskFiles,
    ObjectPlanes,
    TaskObject,
    VideoTask,
    draw_label_map,
    objects_of,
)

from .tiny import SIZE, box, save_ids


def test_label_maps() -> None:
    labels = np.maximum(box(2, 2, number=3), box(14, 20, number=255))
    assert LabelMap(labels).numbers() == {3, 255} and LabelMap(labels).void() is None
    with_void = LabelMap(labels, has_void=True)
    assert with_void.numbers() == {3} and objects_of(labels) == [3]
    void = with_void.void()
    assert void is not None and np.array_equal(void, labels == 255)
    assert LabelMap(labels, merged=True).plane(9).sum() == 160


def test_smaller_objects_lie_on_top() -> None:
    planes = {1: box(2, 2, 16, 20) > 0, 2: box(4, 4, 4, 4) > 0}
    labels, shared = draw_label_map(ObjectPlanes(planes, SIZE), [1, 2])
    assert shared == 16 and (labels == 2).sum() == 16 and (labels == 1).sum() == 320 - 16


def test_an_object_without_a_file_is_not_shown(tmp_path: Path) -> None:
    save_ids(tmp_path / "1.png", box(2, 2))
    masks = ObjectMaskFiles({1: {0: tmp_path / "1.png"}, 2: {4: tmp_path / "1.png"}}).read(0)
    assert masks.numbers() == {1} and not masks.plane(2).any() and masks.size == SIZE
    save_ids(tmp_path / "2.png", box(2, 2, size=(12, 20)))
    with pytest.raises(DataError, match=r"several sizes.*1\.png, .*2\.png"):
        ObjectMaskFiles({1: {0: tmp_path / "1.png"}, 2: {0: tmp_path / "2.png"}}).read(0)


def test_a_task_knows_how_far_it_goes(tmp_path: Path) -> None:
    save_ids(tmp_path / "2.png", np.maximum(box(2, 2, number=3), box(14, 20, number=5)))
    frames = tuple(Path(f"{index}.jpg") for index in range(9))
    objects = (TaskObject(5, 5, 2, (4, 6)), TaskObject(3, 3, 0, (4,)))
    task = VideoTask(
        "a", frames, objects, LabelMapFiles({0: tmp_path / "2.png", 2: tmp_path / "2.png"}), (0, 2)
    )
    assert task.length == 7 and list(task.begins) == [0, 2] and list(task.scored) == [4, 6]
    assert task.scored[4] == objects and task.names((0, 4)) == ("0", "4")
    assert task.given(2).numbers() == {5} and task.size == SIZE and task.palette() is not None


def test_numbers_are_different_and_fit_into_a_label_map() -> None:
    for numbers in ((1, 1), (0,), (256,)):
        objects = tuple(TaskObject(number, number) for number in numbers)
        with pytest.raises(DataError, match="expected at most 255 different ones"):
            VideoTask("a", (), objects, LabelMapFiles({}), ())


def test_names_stay_in_the_folder() -> None:
    VideoTask("HACS/swim", (), (), LabelMapFiles({}), ())
    for name in ("../up", "/etc", "a/../../b", "a\\b", ""):
        with pytest.raises(DataError, match="is not the name of a folder"):
            VideoTask(name, (), (), LabelMapFiles({}), ())
