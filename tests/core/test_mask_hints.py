"""Masks that were resized by interpolation, and labels that mean "ignore"."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from limpet.core.mask_hints import mask_hints


def two_objects() -> np.ndarray:
    mask = np.zeros((60, 80), np.uint8)
    mask[10:30, 10:40] = 7
    mask[25:50, 45:70] = 200
    return mask


@pytest.mark.parametrize(
    "way", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS]
)
@pytest.mark.parametrize("size", [(160, 120), (107, 83), (240, 180)])
def test_an_interpolated_mask_is_noticed(way: Image.Resampling, size: tuple[int, int]) -> None:
    resized = np.array(Image.fromarray(two_objects()).resize(size, way))
    assert len(np.unique(resized)) > 8
    [hint] = mask_hints(resized, "the mask of frame 0")
    assert hint.startswith("the mask of frame 0 looks resized: ") and "by nearest neighbour" in hint


def test_the_right_way_to_resize_is_not() -> None:
    assert (
        mask_hints(np.array(Image.fromarray(two_objects()).resize((161, 119), Image.Resampling.NEAREST)), "m")
        == []
    )


def test_many_real_objects_are_not() -> None:
    """Cells side by side, small ones, rings within each other, and stripes."""
    rows, columns = np.indices((64, 64))
    assert mask_hints((1 + rows // 8 * 8 + columns // 8).astype(np.uint8), "m") == []
    small = np.zeros((64, 64), np.uint8)
    for number in range(100):
        top, left = 6 * (number // 10) + 1, 6 * (number % 10) + 1
        small[top : top + 3, left : left + 3] = number + 1
    assert mask_hints(small, "m") == []
    assert mask_hints((1 + np.hypot(rows - 32, columns - 32) // 4).astype(np.uint8), "m") == []
    assert mask_hints((1 + columns // 4).astype(np.uint8), "m") == []


@pytest.mark.parametrize("label", [254, 255])
def test_a_label_to_ignore_is_pointed_out(label: int) -> None:
    mask = two_objects()
    mask[mask == 200] = 2
    mask[5:9] = label
    [hint] = mask_hints(mask, "first.png")
    assert hint.startswith(f"first.png holds the id {label} beside small ones") and "set it to 0" in hint


def test_one_object_that_is_drawn_white_is_an_object() -> None:
    assert mask_hints(np.where(two_objects() == 7, np.uint8(255), np.uint8(0)), "m") == []
