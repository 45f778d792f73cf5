"""What a person showed, as maps beside the image; and where a person who looks at a mask clicks next."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.segment.segmenter import Click

RADIUS = 5
"""Of the disk that stands for a click, in pixels of the network's input (RITM, section 3.1)."""


def draw_guides(
    clicks: Sequence[Click], size: tuple[int, int], mask: NDArray[np.floating] | None = None
) -> NDArray[np.float32]:
    """Three maps: disks on the object, disks beside it, and the mask so far.

    Args:
        clicks: in pixels of the network's input.
        size: H, W of the input.
        mask: (H, W), the probability of each pixel so far; None: nothing is known yet.

    Returns:
        float32 (3, H, W) in 0..1.
    """
    guides = np.zeros((3, *size), np.float32)
    for each in clicks:
        channel = guides[0 if each.positive else 1]
        cv2.circle(channel, (int(each.x), int(each.y)), RADIUS, 1.0, thickness=-1)
    if mask is not None:
        guides[2] = mask
    return guides


def next_click(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], rng: np.random.Generator | None = None
) -> Click | None:
    """Where a person would click: in the middle of the largest error, as evaluations of clicks do it.

    Args:
        predicted, truth: (H, W).
        rng: takes a random place in the inner half of the error instead, as people do; None: its very middle.

    Returns:
        A click on the object where something of it is missing, or beside it where there is too much; None: no error.
    """
    missing, surplus = _depth(truth & ~predicted), _depth(predicted & ~truth)
    positive = missing.max() >= surplus.max()
    depth = missing if positive else surplus
    deepest = float(depth.max())
    if deepest == 0:
        return None
    if rng is None:
        y, x = divmod(int(depth.argmax()), depth.shape[1])
    else:
        places = np.flatnonzero(depth > deepest / 2)
        y, x = divmod(int(places[rng.integers(len(places))]), depth.shape[1])
    return Click(float(x), float(y), bool(positive))


def _depth(region: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance of each pixel of a region to its edge, in pixels; the border of the image is an edge."""
    padded = np.pad(region.astype(np.uint8), 1)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)
