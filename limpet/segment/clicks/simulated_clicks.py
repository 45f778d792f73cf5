"""Clicks as people make them, for training: on an object of which nothing is known, or on a mask with errors."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.segment.clicks.guides import next_click
from limpet.segment.segmenter import Click

_SEVERAL_PROB = 0.3
Region = NDArray[np.bool_]


def first_clicks(
    rng: np.random.Generator, truth: Region, given_mask_prob: float
) -> tuple[list[Click], NDArray[np.float32]]:
    """The first clicks on an object, and the mask that there was before them.

    Args:
        truth: (H, W), the object.
        given_mask_prob: that there is a mask with errors; otherwise it is empty.

    Returns:
        The clicks, and the mask as float32 (H, W).
    """
    nothing = np.zeros(truth.shape, np.float32)
    if rng.random() < given_mask_prob:
        given = mask_with_errors(rng, truth)
        first = next_click(given, truth, rng)
        if first is not None:
            return [first], given.astype(np.float32)
    first = next_click(nothing > 0, truth, rng)
    clicks = [first] if first is not None else []
    if rng.random() < _SEVERAL_PROB:
        clicks += [_anywhere(rng, truth) for _ in range(int(rng.integers(1, 6)))]
    return clicks, nothing


def _anywhere(rng: np.random.Generator, truth: Region) -> Click:
    """A click on the object or beside it, as one who does not wait for the mask would make it."""
    positive = bool(rng.random() < 0.5) or bool(truth.all())
    region = truth
    if not positive:
        reach = int(rng.integers(9, 61)) | 1
        region = (cv2.dilate(truth.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0) & ~truth
    places = np.flatnonzero(region)
    y, x = divmod(int(places[rng.integers(len(places))]), truth.shape[1])
    return Click(float(x), float(y), positive)


def mask_with_errors(rng: np.random.Generator, truth: Region) -> Region:
    """A mask (H, W) as trackers leave it: parts of ``truth`` are missing, others are too many, the edge is off."""
    mask = truth.astype(np.uint8)
    ys, xs = np.nonzero(truth)
    side = math.sqrt(len(ys))
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(ys)))
        centre = (int(xs[at] + rng.normal(0, 0.2) * side), int(ys[at] + rng.normal(0, 0.2) * side))
        axes = (max(2, int(side * rng.uniform(0.1, 0.5))), max(2, int(side * rng.uniform(0.1, 0.5))))
        value = int(rng.random() < 0.4)
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, value, thickness=-1)
    reach = int(side * rng.uniform(0, 0.06))
    if reach:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        mask = np.asarray(
            cv2.dilate(mask, kernel) if rng.random() < 0.5 else cv2.erode(mask, kernel), np.uint8
        )
    return mask > 0
