"""The attention of one frame as plain arrays, and the numbers that are drawn from it.

Definitions of "Distillation Learning of Deformable Attention", appendix C.

Legend: H W pixels of a picture; h w cells of the feature map; T frames that hold keys; K keys per frame; G groups of
channels. A location is (row, column) in cells, a pixel is (x, y).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

MAP_THRESHOLD = 0.5
"""An attention map shows what receives more than this fraction of the largest attention (Fig. 8)."""
KEY_POINT_THRESHOLD = 0.85
"""Key points receive more than this fraction of the largest attention (Fig. 9)."""
STRONGEST_KEYS = 200
"""How many keys of one query are shown (Fig. 10)."""

Floats = NDArray[np.float32]
Pixels = NDArray[np.float32]
Locations = NDArray[np.float32]


@dataclass(frozen=True)
class CellGrid:
    """Where the cells of a feature map of ``size`` (h, w) lie in a picture of the frame, whatever its size.

    align_corners: the centres of the outer cells lie on the outer pixels; otherwise the cells tile the picture.
    """

    size: tuple[int, int]
    align_corners: bool = True

    def to_pixels(self, locations: Locations, picture: tuple[int, int]) -> Pixels:
        """Locations (..., 2) -> pixels (..., 2) in a picture of (H, W)."""
        scale, shift = self._scale_and_shift(picture)
        return np.asarray((locations * scale + shift)[..., ::-1], np.float32)

    def to_locations(self, pixels: Pixels, picture: tuple[int, int]) -> Locations:
        """The inverse of ``to_pixels``."""
        scale, shift = self._scale_and_shift(picture)
        return np.asarray((pixels[..., ::-1] - shift) / scale, np.float32)

    def nearest(self, pixel: tuple[float, float], picture: tuple[int, int]) -> int:
        """The number of the cell nearest to a pixel, row-major."""
        location = self.to_locations(np.array(pixel, np.float32), picture)
        row, column = np.rint(location).clip(0, np.array(self.size) - 1).astype(int)
        return int(row * self.size[1] + column)

    def spacing(self, picture: tuple[int, int]) -> float:
        """Pixels from one cell to the next, the smaller of the vertical and the horizontal distance."""
        return float(self._scale_and_shift(picture)[0].min())

    def centres(self) -> Locations:
        """(h*w, 2): the location of every cell, row-major."""
        rows, columns = np.indices(self.size, dtype=np.float32)
        return np.stack([rows.ravel(), columns.ravel()], axis=-1)

    def of_object(self, mask: NDArray[np.uint8], object_id: int) -> NDArray[np.intp]:
        """The numbers of the cells whose centre lies on an object in ``mask``, uint8 (H, W).

        An object that lies between all centres has the cell nearest to one of its pixels; one that is not in the
        mask has none.
        """
        x, y = np.rint(self.to_pixels(self.centres(), mask.shape[:2])).astype(int).T
        found = np.flatnonzero(mask[y.clip(0, mask.shape[0] - 1), x.clip(0, mask.shape[1] - 1)] == object_id)
        if len(found):
            return found
        rows, columns = np.nonzero(mask == object_id)
        if not len(rows):
            return found
        middle = len(rows) // 2
        return np.array([self.nearest((columns[middle], rows[middle]), mask.shape[:2])])

    def enlarge(self, values: Floats, picture: tuple[int, int]) -> Floats:
        """Values (h, w) of the cells -> (H, W), bilinear between their centres."""
        height, width = picture
        down = np.stack([np.zeros(height), np.arange(height)], -1).astype(np.float32)
        across = np.stack([np.arange(width), np.zeros(width)], -1).astype(np.float32)
        at_rows, at_columns = np.meshgrid(
            self.to_locations(down, picture)[:, 0], self.to_locations(across, picture)[:, 1], indexing="ij"
        )
        enlarged = cv2.remap(values, at_columns, at_rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(enlarged, np.float32)

    def _scale_and_shift(self, picture: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels per cell, and the pixel of cell 0, vertical and horizontal."""
        pixels, cells = np.array(picture, float), np.array(self.size, float)
        if self.align_corners:
            return (pixels - 1) / np.maximum(cells - 1, 1), np.zeros(2)
        return pixels / cells, pixels / cells / 2 - 0.5


@dataclass(frozen=True)
class AttentionRecord:
    """What the objects of one group attend to in one frame, in one layer.

    object_ids: of the group.
    cells: the feature map; its cells are the queries.
    key_frames: indices of the T frames that hold keys, the newest first.
    weights: (h*w, T, K), the attention of each query; all weights of a query add up to 1.
    sampling_locations: (G, K, 2), (row, column) in cells where each group of channels of a key was sampled, the same
        in all frames. A model without deformable attention has one group, whose locations are the cells themselves.
    reference_points: (K, 2), the points from which the locations were offset; None without deformable attention.
    key_stride: the keys are every so many cells along each axis; more than 1 only without deformable attention.
    """

    object_ids: tuple[int, ...]
    cells: CellGrid
    key_frames: tuple[int, ...]
    weights: Floats
    sampling_locations: Locations
    reference_points: Locations | None
    key_stride: int = 1


def mean_attention(record: AttentionRecord, queries: NDArray[np.intp]) -> Floats:
    """The mean attention of some queries to each key: (T, K), which adds up to 1. At least one query."""
    return np.asarray(record.weights[queries].mean(axis=0), np.float32)


def splat_to_cells(record: AttentionRecord, values: Floats) -> Floats:
    """Values (T, K) of keys, added to the cells that the keys were sampled from: (T, h, w) with the same sums.

    A key of a deformable model was sampled between four cells in each of its G groups: its value is divided among
    them by the bilinear weights. Without deformable attention the keys are the cells, or those of a coarser grid:
    then values between two of them are interpolated, and the sums are larger.
    """
    height, width = record.cells.size
    if record.reference_points is None and record.key_stride == 1:
        return values.reshape(-1, height, width)
    if record.reference_points is None:
        return _between_coarse_cells(record, values)
    corner = np.floor(record.sampling_locations).astype(int)  # G K 2
    down, right = np.moveaxis(record.sampling_locations - corner, -1, 0)
    around = [
        (0, 0, 1 - down, 1 - right),
        (0, 1, 1 - down, right),
        (1, 0, down, 1 - right),
        (1, 1, down, right),
    ]
    splatted = np.zeros((len(values), height * width))
    for row, column, weight_down, weight_right in around:
        rows = (corner[..., 0] + row).clip(max=height - 1)
        columns = (corner[..., 1] + column).clip(max=width - 1)
        cells = (rows * width + columns).ravel()
        weights = weight_down * weight_right / len(record.sampling_locations)
        for frame, each in enumerate(values):
            splatted[frame] += np.bincount(cells, (weights * each).ravel(), minlength=height * width)
    return splatted.reshape(-1, height, width).astype(np.float32)


def _between_coarse_cells(record: AttentionRecord, values: Floats) -> Floats:
    (height, width), stride = record.cells.size, record.key_stride
    rows, columns = np.indices((height, width), np.float32) / stride
    planes = values.reshape(len(values), -(-height // stride), -(-width // stride))
    method, border = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    return np.stack([cv2.remap(plane, columns, rows, method, borderMode=border) for plane in planes])


def key_points(values: Floats) -> NDArray[np.bool_]:
    """Of values (T, K), those above 0.85 of the largest."""
    return np.asarray(values > KEY_POINT_THRESHOLD * values.max())


def strongest_keys(values: Floats, count: int = STRONGEST_KEYS) -> NDArray[np.bool_]:
    """Of values (T, K), the ``count`` largest, or all where there are fewer."""
    chosen = np.zeros(values.size, bool)
    chosen[np.argsort(-values, axis=None, kind="stable")[:count]] = True
    return chosen.reshape(values.shape)


def similarity(values: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """How similar keys are to a query with the attention ``values`` (T, K): from 1 down to 0 for the last ``chosen``.

    Attention is a softmax of similarities, so its logarithm recovers them up to a constant.
    """
    similar = np.log(np.maximum(values, np.finfo(np.float32).tiny))
    lowest, highest = similar[chosen].min(), similar[chosen].max()
    return np.asarray((similar - lowest) / max(highest - lowest, 1e-6), np.float32)


def choose_query(record: AttentionRecord, queries: NDArray[np.intp]) -> int:
    """Of an object's queries the one that attends most to the object's key points."""
    points = key_points(mean_attention(record, queries))
    return int(queries[record.weights[queries][:, points].sum(axis=1).argmax()])
