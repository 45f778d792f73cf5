"""Which photos of a folder can be used, and what the others lack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import DataError
from limpet.data.image_cache import LabelledImage
from limpet.data.stills import StillsFolder, split_components
from tests.data.conftest import draw_mask


def test_stills_are_listed_with_their_kind(stills_root: Path) -> None:
    folder = StillsFolder(stills_root)
    assert [(s.image.stem, s.kind) for s in folder.stills] == [
        ("bsds_c", "regions"),
        ("coco_a", "objects"),
        ("horse_b", "objects"),
    ]
    assert folder.skipped == []


@pytest.mark.parametrize("damage", ["image", "mask", "missing", "colours", "size"])
def test_an_unusable_still_is_skipped_and_named(stills_root: Path, damage: str) -> None:
    image, mask = stills_root / "images" / "coco_a.jpg", stills_root / "masks" / "coco_a.png"
    expected = {
        "image": "unreadable image",
        "mask": "cannot be read as an image",
        "missing": "no mask coco_a.png",
        "colours": "has colours (mode RGB) where ids were expected",
        "size": "mask is 10x20 but the image is 150x200",
    }[damage]
    if damage == "image":
        image.write_bytes(b"this is no picture")
    elif damage == "mask":
        mask.write_bytes(mask.read_bytes()[:60])
    elif damage == "missing":
        mask.unlink()
    elif damage == "colours":
        Image.new("RGB", (200, 150), "red").save(mask)
    else:
        Image.fromarray(np.ones((10, 20), np.uint8)).save(mask)
    folder = StillsFolder(stills_root)
    assert len(folder) == 2
    assert len(folder.skipped) == 1
    assert folder.skipped[0].startswith("coco_a.jpg: ") and expected in folder.skipped[0]


def test_a_mask_without_objects_is_refused_by_name(stills_root: Path) -> None:
    Image.fromarray(np.zeros((150, 200), np.uint8)).save(stills_root / "masks" / "horse_b.png")
    with pytest.raises(
        DataError, match=r"1 of the masks in .* no object.*: horse_b\.png; label at least one"
    ):
        StillsFolder(stills_root)


def test_an_empty_or_absent_stills_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder; expected photos in ROOT/images and masks"):
        StillsFolder(tmp_path / "nowhere")
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match="no usable photos with masks"):
        StillsFolder(tmp_path)


def test_when_everything_is_skipped_the_error_says_why(stills_root: Path) -> None:
    for mask in (stills_root / "masks").iterdir():
        mask.unlink()
    with pytest.raises(DataError, match=r"3 were skipped, first bsds_c\.jpg: no mask bsds_c\.png"):
        StillsFolder(stills_root)


def test_the_pieces_of_a_single_object_become_objects() -> None:
    mask = draw_mask(100, 100, [(0, 0, 40, 40), (0, 60, 30, 90), (60, 0, 80, 20), (82, 0, 85, 5)]) > 0
    image = LabelledImage(np.zeros((100, 100, 3), np.uint8), mask.astype(np.uint8) * 7)
    ids = split_components(image, 300).mask
    assert ids[10, 10] == 1 and ids[10, 70] == 2 and ids[70, 10] == 3, "by size"
    assert ids[83, 2] == 3, "a fragment stays with the nearest object"
    assert np.array_equal(ids > 0, mask)
    assert split_components(image, 500).mask.max() == 2
    assert split_components(image, 1000) is image


def test_masks_that_tell_objects_apart_are_not_split() -> None:
    mask = draw_mask(100, 100, [(0, 0, 40, 40), (0, 60, 30, 90)])
    mask[60:90, :30] = 1
    image = LabelledImage(np.zeros((100, 100, 3), np.uint8), mask)
    assert split_components(image, 100) is image


def test_no_more_pieces_than_ids() -> None:
    mask = np.zeros((100, 100), np.uint8)
    for number in range(25):
        top, left = 20 * (number // 5), 20 * (number % 5)
        mask[top : top + 15, left : left + 10 + number % 3] = 1
    image = LabelledImage(np.zeros((100, 100, 3), np.uint8), mask)
    ids = split_components(image, 50).mask
    assert sorted(np.unique(ids)) == list(range(11)) and np.array_equal(ids > 0, mask > 0)
