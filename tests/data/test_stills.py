"""Which photos of a folder can be used, and what the others lack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.core.errors import DataError
from limpet.data.stills import StillsFolder


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
