"""Where the cells of a feature map lie in a picture of the frame, whatever the picture's size.

A place is (row, column) in cells, a pixel is (x, y). H W pixels of a picture, h w cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
Places = NDArray[np.float32]


@dataclass(frozen=True)
class CellGrid:
    """A feature map of ``size`` (h, w).

    align_corners: the middles of the outer cells lie on the outer pixels; else cells tile the picture.
    """

    size: tuple[int, int]
    align_corners: bool = True

    def to_pixels(self, places: Places, picture: tuple[int, int]) -> Pixels:
        """Places (..., 2) -> pixels (..., 2) in a picture of (H, W)."""
        scale, shift = self._scale_and_shift(picture)
        return np.asarray((places * scale + shift)[..., ::-1], np.float32)

    def to_places(self, pixels: Pixels, picture: tuple[int, int]) -> Places:
        """The inverse of ``to_pixels``."""
        scale, shift = self._scale_and_shift(picture)
        return np.asarray((pixels[..., ::-1] - shift) / scale, np.float32)

    def nearest(self, pixel: tuple[float, float], picture: tuple[int, int]) -> int:
        """The number of the cell nearest to a pixel, row-major."""
        place = self.to_places(np.array(pixel, np.float32), picture)
        row, column = np.rint(place).clip(0, np.array(self.size) - 1).astype(int)
        return int(row * self.size[1] + column)

    def step(self, picture: tuple[int, int]) -> float:
        """Pixels from one cell to the next, the smaller of down and across."""
        return float(self._scale_and_shift(picture)[0].min())

    def middles(self) -> Places:
        """(h*w, 2): the place of every cell, row-major."""
        rows, columns = np.indices(self.size, dtype=np.float32)
        return np.stack([rows.ravel(), columns.ravel()], axis=-1)

    def of_object(self, mask: NDArray[np.uint8], object_id: int) -> NDArray[np.intp]:
        """The numbers of the cells whose middle lies on an object in ``mask``, uint8 (H, W).

        An object that lies between all middles has the cell nearest to one of its pixels; one that is not in the
        mask has none.
        """
        x, y = np.rint(self.to_pixels(self.middles(), mask.shape[:2])).astype(int).T
        found = np.flatnonzero(mask[y.clip(0, mask.shape[0] - 1), x.clip(0, mask.shape[1] - 1)] == object_id)
        if len(found):
            return found
        rows, columns = np.nonzero(mask == object_id)
        if not len(rows):
            return found
        middle = len(rows) // 2
        return np.array([self.nearest((columns[middle], rows[middle]), mask.shape[:2])])

    def enlarge(self, values: NDArray[np.float32], picture: tuple[int, int]) -> NDArray[np.float32]:
        """Values (h, w) of the cells -> (H, W), bilinear between their middles."""
        height, width = picture
        rows = self.to_places(np.stack([np.zeros(height), np.arange(height)], -1).astype(np.float32), picture)
        columns = self.to_places(
            np.stack([np.arange(width), np.zeros(width)], -1).astype(np.float32), picture
        )
        at_rows, at_columns = np.meshgrid(rows[:, 0], columns[:, 1], indexing="ij")
        enlarged = cv2.remap(values, at_columns, at_rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(enlarged, np.float32)

    def _scale_and_shift(self, picture: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels a cell, and the pixel of cell 0, down and across."""
        pixels, cells = np.array(picture, float), np.array(self.size, float)
        if self.align_corners:
            return (pixels - 1) / np.maximum(cells - 1, 1), np.zeros(2)
        return pixels / cells, pixels / cells / 2 - 0.5
