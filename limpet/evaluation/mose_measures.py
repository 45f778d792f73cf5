"""J and F as version 2 of MOSE measures them (Ding et al., 2025; MOSE-api, MOSEv2/sam2_rcms/tools/metricsv2.py).

J counts one pixel more in intersection and union, which keeps tiny objects from jumping between 0 and 1. The tolerance
of F, written with a dot there, grows with the object instead of the frame: a tenth of the root of its area, at most the
tolerance of DAVIS. For large objects that limit is no whole number of pixels, and the published code dilates by a disk
whose centre lies between pixels; so does this.

Shapes: H W pixels.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.evaluation.metrics import (
    DAVIS_TOLERANCE,
    AnyMask,
    boundary_map,
    crop_to_objects,
    mask_bytes,
    outlines_agree,
)

AREA_TOLERANCE = 0.1
"""Radius as a share of the root of the object's area."""


def smoothed_region_and_adaptive_boundary(
    truth: AnyMask, prediction: AnyMask, void: AnyMask | None = None
) -> tuple[float, float]:
    """J and F of one object in one frame, as ``limpet.evaluation.metrics.region_and_boundary`` for version 1.

    >>> truth = np.zeros((40, 40), bool)
    >>> truth[10, 10:13] = True
    >>> smoothed_region_and_adaptive_boundary(truth, np.zeros_like(truth))
    (0.25, 0.0)
    """
    a, b = mask_bytes(truth, prediction, void)
    radius = adaptive_radius(int(np.count_nonzero(a)), a.shape)
    a, b = crop_to_objects(a, b)
    union = cv2.countNonZero(cv2.bitwise_or(a, b))
    region = (cv2.countNonZero(cv2.bitwise_and(a, b)) + 1) / (union + 1)
    if radius == int(radius):
        return region, outlines_agree(a, b, int(radius))
    return region, _outlines_agree_within(a, b, radius)


def adaptive_radius(area: int, size: tuple[int, ...]) -> float:
    """Radius in pixels for an object of ``area`` pixels in a frame of ``size`` = (H, W)."""
    limit = DAVIS_TOLERANCE * math.hypot(*size)
    wanted = AREA_TOLERANCE * (math.sqrt(area) if area else math.hypot(*size))
    return min(limit, math.ceil(wanted))


@lru_cache(maxsize=8)
def _disk(radius: float) -> NDArray[np.uint8]:
    """Points at steps of one pixel from -radius on that are at most ``radius`` from the centre."""
    steps = np.arange(-radius, radius + 1)
    inside: NDArray[np.bool_] = steps[:, None] ** 2 + steps[None, :] ** 2 <= radius**2
    return inside.astype(np.uint8)


def _outlines_agree_within(a: NDArray[np.uint8], b: NDArray[np.uint8], radius: float) -> float:
    truth, found = boundary_map(a), boundary_map(b)
    total_truth, total_found = cv2.countNonZero(truth), cv2.countNonZero(found)
    if not total_truth or not total_found:
        return float(total_truth == total_found)
    recall = cv2.countNonZero(cv2.bitwise_and(truth, cv2.dilate(found, _disk(radius)))) / total_truth
    precision = cv2.countNonZero(cv2.bitwise_and(found, cv2.dilate(truth, _disk(radius)))) / total_found
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
