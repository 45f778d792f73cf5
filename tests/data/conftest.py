"""Small data sets in which the colour of a pixel tells its object, so that misplaced masks can be seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# far apart from one another and from the grey background, so that interpolation can't turn one into another
COLOURS = np.array([[120, 120, 120], [250, 20, 20], [20, 250, 20], [20, 20, 250]], np.uint8)


def draw_mask(height: int, width: int, boxes: list[tuple[int, int, int, int]]) -> np.ndarray:
    """uint8 (H, W): the i-th box (top, left, bottom, right) has the id i + 1."""
    mask = np.zeros((height, width), np.uint8)
    for number, (top, left, bottom, right) in enumerate(boxes):
        mask[top:bottom, left:right] = number + 1
    return mask


def save_pair(image: Path, mask_path: Path, mask: np.ndarray) -> None:
    """Writes the mask as indexed PNG and the image that shows the same thing in colours."""
    image.parent.mkdir(parents=True, exist_ok=True)
    mask_path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(COLOURS[mask]).save(image, quality=98, subsampling=0)
    indexed = Image.fromarray(mask).convert("P")
    indexed.putpalette([channel for colour in COLOURS.tolist() for channel in colour])
    indexed.putdata(mask.ravel().tolist())
    indexed.save(mask_path)


@pytest.fixture
def stills_root(tmp_path: Path) -> Path:
    """Three photos: two with objects, one with regions that tile it."""
    root = tmp_path / "stills"
    boxes = {
        "coco_a": [(30, 40, 100, 110), (60, 150, 130, 200)],
        "horse_b": [(20, 60, 120, 140)],
        "bsds_c": [(0, 0, 50, 200), (50, 0, 150, 70), (50, 70, 150, 200)],
    }
    for name, places in boxes.items():
        save_pair(
            root / "images" / f"{name}.jpg", root / "masks" / f"{name}.png", draw_mask(150, 200, places)
        )
    return root


@pytest.fixture
def davis_root(tmp_path: Path) -> Path:
    """Two videos of eight frames in DAVIS layout: a box that moves to the right, two that move apart."""
    root = tmp_path / "davis"
    for t in range(8):
        one = draw_mask(90, 160, [(20, 20 + 6 * t, 70, 60 + 6 * t)])
        two = draw_mask(90, 160, [(30, 60 - 4 * t, 60, 90 - 4 * t), (20, 90 + 4 * t, 70, 120 + 4 * t)])
        for name, mask in (("one", one), ("two", two)):
            frame = root / "JPEGImages" / "480p" / name / f"{t:05d}.jpg"
            save_pair(frame, root / "Annotations" / "480p" / name / f"{t:05d}.png", mask)
    (root / "ImageSets").mkdir()
    (root / "ImageSets" / "fit.txt").write_text("one\ntwo\n")
    return root
