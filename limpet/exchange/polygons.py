"""Polygons of masks along the edges of their pixels, and back.

A pixel (x, y) is the square from (x, y) to (x + 1, y + 1), as in COCO, so that a polygon along these edges encloses
exactly the pixels of its mask, single ones too. Holes are lost where a format has no rings inside of others.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import MaskError

Ring = NDArray[np.float64]  # (corners, 2), x and y


def outlines(mask: NDArray[np.bool_]) -> tuple[list[Ring], int]:
    """The outer outline of each connected part of a mask, and how many holes are not in them.

    Args:
        mask: bool (H, W). Pixels that touch at a corner only belong to different parts.
    """
    found: list[Ring] = []
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    holes = 0
    for part in range(1, count):
        left, top, width, height = (int(v) for v in boxes[part][:4])
        crop = (parts[top : top + height, left : left + width] == part).astype(np.uint8)
        double = np.kron(
            crop, np.ones((2, 2), np.uint8)
        )  # so that each corner of a pixel has a pixel of its own
        rings, tree = cv2.findContours(double, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        outer = next(ring for ring, node in zip(rings, tree[0], strict=True) if node[3] < 0)
        holes += sum(1 for node in tree[0] if node[3] >= 0)
        corners = (outer[:, 0].astype(np.int64) + 1) // 2 + (left, top)
        found.append(_without_straight_points(corners).astype(np.float64))
    return found, holes


def fill_polygons(rings: Sequence[Ring], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels whose centre lies within an odd number of rings, bool (H, W); what is outside of the frame is cut."""
    height, width = size
    toggles = np.zeros((height, width + 1), np.bool_)
    for ring in rings:
        x, y = ring[:, 0], ring[:, 1]
        to_x, to_y = np.roll(x, -1), np.roll(y, -1)
        low, high = np.minimum(y, to_y), np.maximum(y, to_y)
        first = np.clip(np.ceil(low - 0.5), 0, height).astype(np.int64)  # rows whose centre the edge crosses
        rows = np.clip(np.ceil(high - 0.5), 0, height).astype(np.int64) - first
        edge = np.repeat(np.arange(len(ring)), rows)
        row = np.arange(len(edge)) - np.repeat(np.cumsum(rows) - rows, rows) + first[edge]
        share = (row + 0.5 - y[edge]) / (to_y - y)[edge]
        crossing = x[edge] + share * (to_x - x)[edge]
        column = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.int64)
        np.logical_xor.at(toggles, (row, column), True)
    return np.logical_xor.accumulate(toggles, axis=1)[:, :width]


def rings_of(polygons: object, where: str) -> list[Ring]:
    """COCO's ``[[x, y, x, y, …], …]`` as rings. Raises MaskError for anything else."""
    try:
        rings = [np.asarray(flat, np.float64).reshape(-1, 2) for flat in polygons]  # type: ignore[attr-defined]
    except (TypeError, ValueError) as error:
        raise MaskError(f"{where} has a polygon that is not a list of x, y, x, y, …") from error
    if any(not np.isfinite(ring).all() or np.abs(ring).max(initial=0) > 1e6 for ring in rings):
        raise MaskError(f"{where} has a polygon with coordinates that are no places in a picture")
    return [ring for ring in rings if len(ring) >= 3]


def _without_straight_points(corners: NDArray[np.int64]) -> NDArray[np.int64]:
    """Only the points at which the outline turns."""
    corners = corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)]
    before, after = corners - np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0) - corners
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    turning: NDArray[np.int64] = corners[turns]
    return turning
