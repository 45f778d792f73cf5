"""Rotates frames as their display matrix says."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Orientation:
    """A quarter turn and/or a reflection: the axes are swapped first, then flipped. The default is the identity."""

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Rotate ``image`` uint8 (H, W, 3); the result is contiguous, (W, H, 3) when transposed."""
        if self.transposed:
            image = image.swapaxes(0, 1)
        if self.flip_x:
            image = image[:, ::-1]
        if self.flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


def pixel_aspect(stated: Fraction | None, orientation: Orientation) -> Fraction:
    """Width by height of a displayed pixel; 1 where the file states none, or one that no camera has."""
    if stated is None or not Fraction(1, 10) <= stated <= 10:
        return Fraction(1)
    return 1 / stated if orientation.transposed else Fraction(stated)


def from_display_matrix(matrix: bytes) -> Orientation:
    """Read a display matrix: 9 native-endian int32 ``a b u c d v x y w`` (ISO/IEC 14496-12, tkhd).

    A stored pixel (x, y) is shown at x' = a x + c y, y' = b x + d y. Other angles are rounded to the
    nearest quarter turn, as players do.

    Raises:
        ValueError: it is not 36 bytes long.
    """
    if len(matrix) != 36:
        raise ValueError(f"a display matrix has 36 bytes, got {len(matrix)}")
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix)
    if abs(a) >= abs(b):
        return Orientation(False, flip_x=a < 0, flip_y=d < 0)
    return Orientation(True, flip_x=c < 0, flip_y=b < 0)
