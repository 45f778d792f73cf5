"""A box around an object, made into its mask: GrabCut on a small crop, then its edge on the pixels themselves.

GrabCut: Rother, Kolmogorov and Blake, SIGGRAPH 2004. Its time grows with the number of pixels, so that it runs on at
most 288 of them a side. The edge is refined by a guided filter (He, Sun and Tang, ECCV 2010, equations 5 and 6), which
lets the mask follow the edges of the picture.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import MaskError
from limpet.core.tracker_protocol import Image, Mask

WORKING_SIZE = 288
"""Longer side of the crop that GrabCut works on, in pixels."""
_MARGIN = 0.3
"""Surroundings of the box, as a share of its longer side: from them GrabCut learns what the background looks like."""
_ITERATIONS = 5
_SMALLEST = 4
_ISLAND = 0.02
"""Pieces smaller than this share of the largest one are left out."""
_SMOOTHNESS = 1e-3

Gray = NDArray[np.float32]


def segment_box(image: Image, box: tuple[float, float, float, float]) -> Mask:
    """The mask of what stands out in a box.

    Args:
        image: uint8 (H, W, 3) RGB.
        box: x0, y0, x1, y1 in pixels, in any order; what lies outside of the image is cut off.

    Returns:
        uint8 (H, W): 1 on the object, 0 elsewhere. Nothing outside of the box is on it.

    Raises:
        MaskError: the box is too small, or nothing in it differs from its surroundings.
    """
    height, width = image.shape[:2]
    x0, x1 = (round(min(max(x, 0), width)) for x in sorted((box[0], box[2])))
    y0, y1 = (round(min(max(y, 0), height)) for y in sorted((box[1], box[3])))
    if min(x1 - x0, y1 - y0) < _SMALLEST:
        raise MaskError(
            f"the box has {x1 - x0}x{y1 - y0} pixels inside the frame; draw it around the whole object, at least "
            f"{_SMALLEST}x{_SMALLEST}"
        )
    margin = max(8, round(_MARGIN * max(x1 - x0, y1 - y0)))
    left, top = max(0, x0 - margin), max(0, y0 - margin)
    crop = image[top : y1 + margin, left : x1 + margin]
    inside = np.zeros(crop.shape[:2], bool)
    inside[y0 - top : y1 - top, x0 - left : x1 - left] = True
    found = _keep_large(_refined(crop, inside) & inside)
    if not found.any():
        raise MaskError("nothing stands out in the box; draw the object with the brush or the livewire")
    mask = np.zeros((height, width), np.uint8)
    mask[top : top + crop.shape[0], left : left + crop.shape[1]] = found
    return mask


def _refined(crop: Image, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What GrabCut finds in a smaller picture, at the crop's own size."""
    height, width = inside.shape
    scale = min(1.0, WORKING_SIZE / max(height, width))
    small = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else crop
    size = (small.shape[1], small.shape[0])
    trimap = cv2.resize(inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    labels = np.where(trimap > 0, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    if labels.all():  # a box around everything: its rim is taken for the background
        labels[[0, -1], :] = labels[:, [0, -1]] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    cv2.grabCut(
        np.ascontiguousarray(small), labels, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), _ITERATIONS,
        cv2.GC_INIT_WITH_MASK,
    )  # fmt: skip
    soft = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    if scale == 1:
        return soft > 0.5
    soft = np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    guide = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
    return guided_filter(np.asarray(guide, np.float32), soft, radius=max(2, round(2 / scale))) > 0.5


def guided_filter(guide: Gray, values: Gray, radius: int) -> Gray:
    """``values`` smoothed so that they follow the edges of ``guide``; both float32 (H, W) in 0..1."""

    def mean(of: NDArray[np.floating[Any]]) -> Gray:
        return np.asarray(cv2.blur(of, (2 * radius + 1, 2 * radius + 1)), np.float32)

    mean_guide, mean_values = mean(guide), mean(values)
    variance = mean(guide * guide) - mean_guide * mean_guide
    slope = (mean(guide * values) - mean_guide * mean_values) / (variance + _SMOOTHNESS)
    offset = mean_values - slope * mean_guide
    return mean(slope) * guide + mean(offset)


def _keep_large(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without islands."""
    count, labels, facts, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
    areas = facts[1:count, cv2.CC_STAT_AREA]
    if not len(areas):
        return found
    large = 1 + np.flatnonzero(areas >= _ISLAND * areas.max())
    return np.isin(labels, large)
