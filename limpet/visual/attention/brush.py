"""Dots, stars and lines in a panel, smooth and placed between pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = Sequence[float] | NDArray[np.float32]
"""(x, y) in pixels."""
DARK: Colour = (16, 18, 20)
LIGHT: Colour = (255, 255, 255)
_SHIFT = 4  # OpenCV takes sixteenths of a pixel


def dot(image: Image, at: Point, radius: float, colour: Colour, rim: Colour = DARK) -> None:
    """A filled circle around (x, y) with a thin rim; radius in pixels. Draws into ``image``."""
    centre = _fixed(at)
    cv2.circle(image, centre, round((radius + 1) * 2**_SHIFT), rim, -1, cv2.LINE_AA, _SHIFT)
    cv2.circle(image, centre, round(radius * 2**_SHIFT), colour, -1, cv2.LINE_AA, _SHIFT)


def line(image: Image, begin: Point, end: Point, colour: Colour, width: int = 1) -> None:
    """A line between two points (x, y). Draws into ``image``."""
    cv2.line(image, _fixed(begin), _fixed(end), colour, width, cv2.LINE_AA, _SHIFT)


def star(image: Image, at: Point, radius: float, colour: Colour) -> None:
    """A five-pointed star around (x, y) with a dark rim. Draws into ``image``."""
    for reach, fill in ((radius * 1.45, DARK), (radius, colour)):
        corners = _star(reach) + np.asarray(at)
        points = np.rint(corners * 2**_SHIFT).astype(np.int32)
        cv2.fillPoly(image, [points], fill, cv2.LINE_AA, _SHIFT)


def _star(radius: float) -> NDArray[np.float64]:
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    reach = np.where(np.arange(10) % 2, 0.42, 1.0) * radius
    return np.stack([np.cos(angles) * reach, np.sin(angles) * reach], axis=-1)


def _fixed(at: Point) -> tuple[int, int]:
    return round(at[0] * 2**_SHIFT), round(at[1] * 2**_SHIFT)
