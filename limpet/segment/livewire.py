"""Livewire: a line that snaps to the edge between two points (intelligent scissors, Mortensen and Barrett, 1995)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from limpet.core.errors import MaskError
from limpet.core.tracker_protocol import Image

WORKING_SIZE = 512
"""Longer side of the picture that edges are looked for in; larger crops are scaled down to it."""
_KEPT = 4
_SMALLEST = 8
Point = tuple[float, float]


@dataclass(frozen=True)
class _Map:
    """Ways from one anchor. The crop's corner is at (left, top), and it was scaled by ``scale``."""

    tool: Any
    left: int
    top: int
    scale: float
    size: tuple[int, int]


class Livewire:
    """Finds ways along edges. Making the map of an anchor takes tenths of a second, each way from it microseconds.

    The last few anchors are kept.
    """

    def __init__(self) -> None:
        self._maps: OrderedDict[int, _Map] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def anchor(self, image: Image, point: Point, box: tuple[float, float, float, float]) -> int:
        """Begin at a point.

        Args:
            image: uint8 (H, W, 3) RGB.
            point: x, y in pixels, inside the image.
            box: x0, y0, x1, y1; ways do not leave it. It is cut off at the image, and holds the point.

        Returns:
            The number of the anchor, for ``path``.

        Raises:
            MaskError: the point lies outside of the image.
        """
        height, width = image.shape[:2]
        x, y = point
        if not (0 <= x < width and 0 <= y < height):
            raise MaskError(f"the point {x:g}, {y:g} lies outside of the frame of {width}x{height} pixels")
        left = int(max(0, min(box[0], box[2], x - _SMALLEST)))
        top = int(max(0, min(box[1], box[3], y - _SMALLEST)))
        right = int(min(width, max(box[0], box[2], x + _SMALLEST) + 1))
        bottom = int(min(height, max(box[1], box[3], y + _SMALLEST) + 1))
        crop = np.ascontiguousarray(image[top:bottom, left:right])
        scale = min(1.0, WORKING_SIZE / max(crop.shape[:2]))
        if scale < 1:
            crop = np.asarray(
                cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
            )
        tool = cv2.segmentation.IntelligentScissorsMB()
        tool.setEdgeFeatureCannyParameters(32, 100)
        tool.setGradientMagnitudeMaxLimit(200)
        tool.applyImage(crop)
        made = _Map(tool, left, top, scale, (crop.shape[0], crop.shape[1]))
        tool.buildMap(_inside(made, point))
        with self._lock:
            self._count += 1
            self._maps[self._count] = made
            while len(self._maps) > _KEPT:
                self._maps.popitem(last=False)
            return self._count

    def path(self, anchor: int, to: Point) -> list[tuple[int, int]]:
        """The way from an anchor to a point, both included, as pixels (x, y).

        Args:
            to: x, y in pixels; outside of the anchor's box, the nearest point in it is taken.

        Raises:
            MaskError: the anchor is not known any more.
        """
        with self._lock:
            found = self._maps.get(anchor)
            if found is None:
                raise MaskError(f"the anchor {anchor} is not known any more; set it again")
            self._maps.move_to_end(anchor)
            line = np.asarray(found.tool.getContour(_inside(found, to))).reshape(-1, 2)
        half = (1 / found.scale - 1) / 2  # the middle of a pixel of the smaller picture
        places = np.rint(np.add(line / found.scale + half, (found.left, found.top))).astype(int)
        return [(int(x), int(y)) for x, y in places]


def _inside(found: _Map, point: Point) -> tuple[int, int]:
    """A point of the image in the scaled crop."""
    height, width = found.size
    x, y = (point[0] - found.left) * found.scale, (point[1] - found.top) * found.scale
    return int(min(max(x, 0), width - 1)), int(min(max(y, 0), height - 1))
