"""MOTS, as text and as pictures: numbers of objects, regions to ignore, and damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import MaskError
from limpet.exchange.formats import read_masks, write_masks
from limpet.exchange.mots import ids_of_mots, mots_numbers

from .sequences import clip_of, hard_clip, hard_labels


def test_numbers() -> None:
    labels = np.zeros((4, 4), np.uint16)
    clip = clip_of({0: labels}, {1: "car", 2: "", 3: "car", 999: "dog", 1000: "dog"})
    numbers = mots_numbers(clip, 60)
    assert dict(numbers.of_object) == {1: 1001, 2: 2002, 3: 1003, 999: 3999}
    many = clip_of({0: labels}, {k: f"thing {k}" for k in range(1, 13)} | {13: "pedestrian"})
    classes = list(mots_numbers(many, 60).classes.values())
    assert classes == [1, *range(3, 10), 11, 12, 13, 14, 2], (
        "10 is to be ignored, and pedestrians are 2 in KITTI"
    )
    assert clip.notices == ["MOTS has room for ids up to 999: 1 objects from 1000 on were left out"]
    assert mots_numbers(clip, 2).of_object[999] == 1999, "more names than classes"
    assert "not for 3 names: all objects are of one" in clip.notices[1]
    assert ids_of_mots([2002, 1001]) == {1001: 1, 2002: 2}
    assert ids_of_mots([2001, 1001]) == {1001: 1001, 2001: 2001}, "two classes have an instance 1"


def test_text_as_the_format_says(tmp_path: Path) -> None:
    masks = hard_clip()
    write_masks(masks, tmp_path / "a.txt", "mots-txt")
    lines = (tmp_path / "a.txt").read_text().splitlines()
    assert lines[0].split()[:5] == ["0", "1001", "1", "24", "40"]
    assert [line.split()[1] for line in lines if line.startswith("1 ")] == ["1001", "2003", "3007", "5200"]
    assert "its classes are: 1 cat, 2 object" in masks.notices[0]
    oracle = pytest.importorskip("pycocotools.mask")
    rle = oracle.decode({"size": [24, 40], "counts": lines[0].split()[5].encode()})
    assert np.array_equal(rle > 0, hard_labels()[0] == 1)
    with (tmp_path / "a.txt").open("a") as file:
        file.write("5 10000 10 24 40 PN0\n")
    assert read_masks(tmp_path / "a.txt").notices == ["1 regions to ignore were left out"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 2 3", "line 2 of .* is not of the form"),
        ("x 1001 1 24 40 P", "the frame in line 2"),
        ("0 1001 1 99999999 40 P", "expected sides of"),
        ("0 1001 1 2 3 6", "frames of 2 sizes"),
        ("0 99999999 1 24 40 6", "the id in line 2"),
    ],
)
def test_damaged_text(line: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"0 1001 1 24 40 PN0\n{line}\n")
    with pytest.raises(MaskError, match=words):
        list(read_masks(tmp_path / "a.txt"))


def test_pictures_as_the_format_says(tmp_path: Path) -> None:
    write_masks(hard_clip(), tmp_path / "out", "mots-png")
    with Image.open(tmp_path / "out" / "instances" / "000001.png") as image:
        values = np.array(image)
    assert values.max() == 5200 and set(values.ravel().tolist()) == {0, 1001, 2003, 3007, 5200}
    names = (tmp_path / "out" / "instances" / "labels.txt").read_text("utf-8").splitlines()
    assert names == ["background", "cat", "object", 'dög "ü" <&>', "hidden", "ball"]
    values[5, 5] = 10_000
    Image.fromarray(values).save(tmp_path / "out" / "instances" / "000001.png")
    back = read_masks(tmp_path / "out")
    assert back.notices == ["regions to ignore (10000) were left out"]
    Image.fromarray(values[:5]).save(tmp_path / "out" / "instances" / "000002.png")
    with pytest.raises(MaskError, match="another size"):
        read_masks(tmp_path / "out")


def test_trackeval_reads_it(tmp_path: Path) -> None:
    trackeval = pytest.importorskip("trackeval")
    for folder in ("gt/label_02", "trackers/limpet/data"):
        (tmp_path / folder).mkdir(parents=True)
        named = clip_of(hard_labels(), {1: "car", 3: "car", 7: "pedestrian", 9: "car", 200: "pedestrian"})
        write_masks(named, tmp_path / folder / "0000.txt", "mots-txt")
    config = {
        "GT_FOLDER": str(tmp_path / "gt"), "TRACKERS_FOLDER": str(tmp_path / "trackers"), "SEQ_INFO": {"0000": 6},
        "PRINT_CONFIG": False,
    }  # fmt: skip
    kitti = trackeval.datasets.KittiMOTS(config)
    raw = kitti.get_raw_seq_data("limpet", "0000")
    assert [sorted(ids.tolist()) for ids in raw["tracker_ids"]][:2] == [
        [1001, 1003, 2007],
        [1001, 1003, 2007, 2200],
    ]
    data = kitti.get_preprocessed_seq_data(raw, "pedestrian")
    result = trackeval.metrics.HOTA({"PRINT_CONFIG": False}).eval_sequence(data)
    assert result["HOTA"].min() == 1.0
