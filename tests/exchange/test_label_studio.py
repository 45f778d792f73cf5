"""Label Studio: boxes and outlines, key frames between which nothing is drawn, and files that it exports."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MaskError
from limpet.exchange.formats import read_masks, write_masks

from .sequences import HARD_NAMES, TIMES, assert_same, clip_of, crowd, hard_clip, hard_labels


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "task.json"


def boxed(labels: np.ndarray) -> np.ndarray:
    """Each object as its box, higher ids in front."""
    boxes = np.zeros_like(labels)
    for number in np.unique(labels[labels > 0]):
        rows, columns = np.nonzero(labels == number)
        boxes[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = number
    return boxes


def filled(labels: np.ndarray) -> np.ndarray:
    labels = labels.copy()
    if (labels == 7).any():
        labels[15:22, 14:26] = np.maximum(labels[15:22, 14:26], 7)
    if (labels == 9).any():
        labels[:] = 9
    return labels


@pytest.mark.parametrize(("name", "change"), [("label-studio", boxed), ("label-studio-vector", filled)])
def test_there_and_back(name: str, change: object, path: Path) -> None:
    masks = hard_clip()
    write_masks(masks, path, name)
    back = read_masks(path)
    expected = {index: change(labels) for index, labels in hard_labels().items()}  # type: ignore[operator]
    assert_same(clip_of(expected, HARD_NAMES, len(TIMES)), back)
    assert (back.name, back.frame_count, back.frame_rate, back.numbered) == (
        "clip.mp4",
        len(TIMES),
        25,
        False,
    )
    told = " ".join(masks.notices)
    assert ("became its box" in told) == (name == "label-studio")
    assert ("outlines have no holes: those of 3 masks" in told) == (name != "label-studio")


def test_three_hundred_objects(path: Path) -> None:
    write_masks(crowd(), path, "label-studio-vector")
    assert_same(crowd(), read_masks(path))


def test_as_the_format_says(path: Path) -> None:
    write_masks(hard_clip(), path, "label-studio")
    (task,) = json.loads(path.read_text())
    regions = {region["id"]: region for region in task["annotations"][0]["result"]}
    value = regions["object-7"]["value"]
    assert (regions["object-7"]["type"], value["framesCount"], value["labels"]) == (
        "videorectangle",
        6,
        [HARD_NAMES[7]],
    )
    assert value["duration"] == pytest.approx(0.32)
    first = value["sequence"][0]
    assert [first[key] for key in ("frame", "time", "x", "width", "rotation")] == [1, 0.0, 35.0, 30.0, 0]
    assert (first["y"], first["height"]) == (62.5, pytest.approx(100 * 7 / 24))
    assert [(entry["frame"], entry["enabled"]) for entry in value["sequence"]] == [(1, True), (2, False)]
    write_masks(hard_clip(), path, "label-studio-vector", overwrite=True)
    (task,) = json.loads(path.read_text())
    ids = [region["id"] for region in task["annotations"][0]["result"]]
    assert ids[:4] == ["object-1", "object-3", "object-3-1", "object-3-2"], "each island is a region"
    vertices = task["annotations"][0]["result"][0]["value"]["sequence"][0]["vertices"]
    assert len(vertices) == 6 and vertices[0]["prevPointId"] is None and vertices[1]["prevPointId"] == "v0"


def task_of(sequence: list[dict[str, object]], **data: object) -> str:
    region = {
        "id": "a1",
        "type": "videorectangle",
        "value": {"framesCount": 9, "sequence": sequence, "labels": ["cat"]},
    }
    return json.dumps(
        [{"data": {"video": "/data/upload/x.mp4", **data}, "annotations": [{"result": [region]}]}]
    )


def test_boxes_move_between_key_frames(path: Path) -> None:
    place = {"y": 0, "width": 25, "height": 100, "rotation": 0}
    path.write_text(
        task_of(
            [{"frame": 2, "x": 0, "enabled": True, **place}, {"frame": 4, "x": 50, "enabled": False, **place},
             {"frame": 8, "x": 75, "enabled": True, **place}], limpet={"size": [2, 4]},
        )
    )  # fmt: skip
    back = read_masks(path)
    assert (back.name, dict(back.names), back.numbered) == ("x.mp4", {1: "cat"}, True)
    rows = ["".join(map(str, frame.labels[0])) for frame in back]
    assert rows == ["0000", "1000", "0100", "0010", "0000", "0000", "0000", "0001", "0000"]


def test_boxes_that_are_turned(path: Path) -> None:
    box = {"frame": 1, "x": 50, "y": 25, "width": 50, "height": 25, "rotation": 90}
    path.write_text(task_of([box], limpet={"size": [4, 4]}))
    assert next(iter(read_masks(path))).labels.tolist() == [
        [0, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]


def test_what_is_missing_is_told(path: Path) -> None:
    path.write_text(task_of([]))
    with pytest.raises(MaskError, match="does not state the size of the video in pixels; add it"):
        read_masks(path)
    path.write_text(task_of([{"frame": 1, "x": "left"}], limpet={"size": [4, 4]}))
    with pytest.raises(MaskError, match="whose place is damaged"):
        list(read_masks(path))
    path.write_text(task_of([{"frame": 10**12}], limpet={"size": [4, 4]}))
    with pytest.raises(MaskError, match="a frame in"):
        read_masks(path)
    path.write_text('[{"data": {"video": "a"}, "annotations": []}]')
    with pytest.raises(MaskError, match="not a task of Label Studio"):
        read_masks(path)
