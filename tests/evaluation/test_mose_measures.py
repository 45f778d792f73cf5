"""Against loops that follow the published code step by step."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from limpet.evaluation.mose_measures import adaptive_radius, smoothed_region_and_adaptive_boundary
from limpet.evaluation.video_task import Flags


def outline(mask: Flags) -> NDArray[np.uint8]:
    """Pixels that differ from the right, lower or lower-right neighbour; 0 lies beyond the last row and column."""
    right, below, both = np.zeros_like(mask), np.zeros_like(mask), np.zeros_like(mask)
    right[:, :-1], below[:-1], both[:-1, :-1] = mask[:, 1:], mask[1:], mask[1:, 1:]
    found = (mask ^ right) | (mask ^ below) | (mask ^ both)
    found[-1], found[:, -1] = mask[-1] ^ right[-1], mask[:, -1] ^ below[:, -1]
    found[-1, -1] = False
    return found.astype(np.uint8)


def slow(truth: Flags, prediction: Flags) -> tuple[float, float]:
    union = int((truth | prediction).sum())
    region = 1.0 if union == 0 else (int((truth & prediction).sum()) + 1) / (union + 1)
    limit = 0.008 * math.hypot(*truth.shape)
    root = math.sqrt(truth.sum()) if truth.any() else math.hypot(*truth.shape)
    radius = min(limit, math.ceil(0.1 * root))
    steps = np.arange(-radius, radius + 1)
    across, down = np.meshgrid(steps, steps)
    disk = (across**2 + down**2 <= radius**2).astype(np.uint8)
    a, b = outline(truth), outline(prediction)
    if not a.any() or not b.any():
        return region, float(a.any() == b.any())
    recall = (a * cv2.dilate(b, disk)).sum() / a.sum()
    precision = (b * cv2.dilate(a, disk)).sum() / b.sum()
    return region, float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


@pytest.mark.parametrize("side", [0, 1, 3, 9, 14, 60, 90])
def test_equals_the_published_steps(side: int) -> None:
    """A frame of 150x250: the limit is 2.33 pixels, which objects from 20x20 pixels on reach."""
    rng = np.random.default_rng(side)
    truth = np.zeros((150, 250), bool)
    truth[20 : 20 + side, 30 : 30 + side] = True
    for shift in ((0, 0), (1, 0), (2, 1), (0, 4)):
        found = np.roll(truth, shift, (0, 1)) & (rng.random(truth.shape) > 0.02)
        assert smoothed_region_and_adaptive_boundary(truth, found) == pytest.approx(
            slow(truth, found), abs=1e-12
        )


def test_the_radius_grows_with_the_object_up_to_that_of_davis() -> None:
    assert adaptive_radius(9, (480, 854)) == 1 and adaptive_radius(900, (480, 854)) == 3
    assert (
        adaptive_radius(10**5, (480, 854)) == 0.008 * math.hypot(480, 854) == adaptive_radius(0, (480, 854))
    )


def test_empty_masks() -> None:
    nothing, something = np.zeros((30, 40), bool), np.zeros((30, 40), bool)
    something[5:9, 5:9] = True
    assert smoothed_region_and_adaptive_boundary(nothing, nothing) == (1.0, 1.0)
    assert smoothed_region_and_adaptive_boundary(nothing, something) == (1 / 17, 0.0)
