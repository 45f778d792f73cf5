"""A box made into a mask, on a picture whose object is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from limpet.core.errors import MaskError
from limpet.segment import grabcut
from limpet.segment.grabcut import guided_filter, segment_box


def picture(size: tuple[int, int], axes: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """An ellipse in the middle, reddish on a bluish, noisy ground: RGB and its mask."""
    height, width = size
    mask = np.zeros(size, np.uint8)
    cv2.ellipse(mask, (width // 2, height // 2), axes, 20, 0, 360, 1, -1)
    noise = np.random.default_rng(0).normal(0, 12, (*size, 3))
    image = np.where(mask[..., None] > 0, (190, 90, 60), (60, 90, 150)) + noise
    return np.clip(image, 0, 255).astype(np.uint8), mask


def iou(one: np.ndarray, two: np.ndarray) -> float:
    return float(((one > 0) & (two > 0)).sum() / ((one > 0) | (two > 0)).sum())


def test_the_object_in_a_box_is_found() -> None:
    image, mask = picture((120, 160), (40, 25))
    found = segment_box(image, (115, 90, 35, 25))
    assert found.dtype == np.uint8 and found.shape == (120, 160) and set(np.unique(found)) == {0, 1}
    assert iou(found, mask) > 0.95
    assert np.array_equal(found, segment_box(image, (35, 25, 115, 90))), (
        "the order of the corners does not matter"
    )


def test_the_edge_is_that_of_the_picture_not_of_the_small_crop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grabcut, "WORKING_SIZE", 64)
    image, mask = picture((360, 480), (130, 80))
    refined = segment_box(image, (90, 70, 390, 290))
    monkeypatch.setattr(grabcut, "guided_filter", lambda guide, values, radius: values)
    assert iou(refined, mask) > max(0.96, iou(segment_box(image, (90, 70, 390, 290)), mask))


def test_a_box_around_everything_and_one_beyond_the_frame() -> None:
    image, mask = picture((100, 120), (40, 30))
    assert iou(segment_box(image, (-50, -50, 500, 500)), mask) > 0.9


def test_nothing_outside_of_the_box_is_found() -> None:
    image, _ = picture((100, 120), (40, 30))
    found = segment_box(image, (15, 15, 85, 85))
    assert not found[:, 85:].any() and found[:, :85].any()


def test_what_cannot_work_is_a_sentence() -> None:
    image, _ = picture((100, 120), (40, 30))
    with pytest.raises(
        MaskError, match="the box has 2x40 pixels inside the frame; draw it around the whole object"
    ):
        segment_box(image, (10, 10, 12, 50))


def test_the_guided_filter_equals_its_definition() -> None:
    """Equations 5, 6 and 8 of the paper, window by window."""
    random = np.random.default_rng(1)
    guide, values = random.random((9, 9), np.float32), random.random((9, 9), np.float32)
    radius, smoothness = 1, 1e-3
    slopes, offsets = np.zeros((7, 7)), np.zeros((7, 7))
    for row in range(7):
        for column in range(7):
            one, two = guide[row : row + 3, column : column + 3], values[row : row + 3, column : column + 3]
            slopes[row, column] = ((one * two).mean() - one.mean() * two.mean()) / (one.var() + smoothness)
            offsets[row, column] = two.mean() - slopes[row, column] * one.mean()
    expected = slopes[2:5, 2:5].mean() * guide[4, 4] + offsets[2:5, 2:5].mean()
    assert guided_filter(guide, values, radius)[4, 4] == pytest.approx(expected, abs=1e-4)
