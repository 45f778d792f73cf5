"""Draws masks over a frame: a translucent fill and a sharp outline in each object's colour."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.masks import davis_palette

FILL = 0.45
"""Opacity of the fill."""
_DARKEST = 90
"""Minimum luma (0..255) of a colour: pure blue would not be visible on dark footage."""
_SIDE_PER_LINE = 300
"""The outline is one pixel wide per this many pixels of the frame's shorter side."""


def draw_overlay(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], *, fill: float = FILL, outline: bool = True
) -> NDArray[np.uint8]:
    """Draw the objects of ``mask`` over ``image``.

    Args:
        image: uint8 (H, W, 3) RGB; not changed.
        mask: uint8 (H, W), 0 is background.
        fill: opacity of the fill, 0 (none) to 1.
        outline: draw a light line along the inside of each object and a dark one around it; the width grows with
            the picture.

    Returns:
        uint8 (H, W, 3) RGB.

    Raises:
        ValueError: image and mask have different sizes.
    """
    if image.shape[:2] != mask.shape:
        raise ValueError(
            f"image is {image.shape[:2]} but mask is {mask.shape}; both must have the frame's size"
        )
    top, bottom, left, right = _objects_box(mask)
    drawn = image.copy()
    if bottom <= top:
        return drawn
    box = np.s_[top:bottom, left:right]
    drawn[box] = _draw(
        np.ascontiguousarray(image[box]), np.ascontiguousarray(mask[box]), fill, outline, image.shape
    )
    return drawn


def object_colour(number: int) -> tuple[int, int, int]:
    """(R, G, B) of an object id in drawings: the palette's colour, lightened to be visible on dark footage."""
    red, green, blue = _bright_palette()[number].tolist()
    return red, green, blue


def _draw(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], fill: float, outline: bool, shape: tuple[int, ...]
) -> NDArray[np.uint8]:
    labels = cv2.merge([mask, mask, mask])
    colours = cv2.LUT(labels, _bright_palette()[None])
    drawn = image.copy()
    cv2.copyTo(cv2.addWeighted(image, 1 - fill, colours, fill, 0), mask, drawn)
    if outline:
        width = _line_width(shape)
        kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
        largest, smallest = cv2.dilate(mask, kernel), cv2.erode(mask, kernel)
        edge = cv2.compare(largest, smallest, cv2.CMP_NE)
        cv2.copyTo(colours, cv2.bitwise_and(edge, 255 * (mask > 0).astype(np.uint8)), drawn)
        cv2.copyTo(drawn // 3, cv2.bitwise_and(edge, 255 * (mask == 0).astype(np.uint8)), drawn)
    return drawn


def _line_width(shape: tuple[int, ...]) -> int:
    return max(1, round(min(shape[:2]) / _SIDE_PER_LINE))


def _objects_box(mask: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Top, bottom, left, right around all objects with room for the outline; bottom 0 when there is none."""
    left, top, width, height = cv2.boundingRect(mask)
    if width == 0:
        return 0, 0, 0, 0
    room = 1 + _line_width(mask.shape)
    return max(0, top - room), top + height + room, max(0, left - room), left + width + room


@cache
def _bright_palette() -> NDArray[np.uint8]:
    """The DAVIS palette, lightened to be visible on dark footage and dark pages; uint8 (256, 3)."""
    palette = davis_palette().astype(np.float32)
    # Half-way to full strength only: ids that differ in brightness alone (1: 128,0,0, 9: 192,0,0) stay apart.
    strongest = np.maximum(palette.max(axis=1, keepdims=True), 1)
    bright = palette * (0.5 + 0.5 * 255 / strongest)
    luma = bright @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    to_white = np.clip((_DARKEST - luma) / (255 - luma), 0, 1)[:, None]
    return np.asarray(np.rint(bright + (255 - bright) * to_white), np.uint8)
