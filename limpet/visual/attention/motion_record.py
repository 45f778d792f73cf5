"""How a frame follows the one before, as plain arrays: optical flow, and the places that its cells read (DeVOS).

Legend: h w cells of the feature map; M = h*w queries; R grids that are read; P places on each.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.visual.attention.attention_record import CellGrid, Floats


@dataclass(frozen=True)
class SampledPlaces:
    """What one group of objects reads of the previous frame.

    object_ids: of the group.
    locations: (heads, M, R, P, 2), (row, column) in cells.
    weights: (heads, M, R, P); those of a query add up to 1 in each head.
    """

    object_ids: tuple[int, ...]
    locations: Floats
    weights: Floats


@dataclass(frozen=True)
class MotionRecord:
    """The motion that the network knew in one step.

    cells: the feature map, whose cells are the queries.
    previous: index of the frame before.
    source: name of what found the flow. problem: why the flow is zero, or None.
    flow: (2, H/4, W/4), (down, right) from each place to where it was in the frame before, in pixels of the network's
        image.
    network_size: (H, W) of that image.
    places: of each group of objects; none where a plain window is read.
    """

    cells: CellGrid
    previous: int
    source: str
    problem: str | None
    flow: Floats
    network_size: tuple[int, int]
    places: tuple[SampledPlaces, ...]

    def at_cells(self) -> Floats:
        """Flow of each query, float32 (M, 2), (down, right) in cells."""
        rows, columns = np.rint(self.cells.to_pixels(self.cells.centres(), self.flow.shape[1:]))[:, ::-1].T
        height, width = self.flow.shape[1:]
        inside = rows.astype(int).clip(0, height - 1), columns.astype(int).clip(0, width - 1)
        pixels_per_cell = np.array(self.network_size, np.float32) / self.cells.size
        return np.asarray(self.flow[:, inside[0], inside[1]].T / pixels_per_cell, np.float32)


def flow_colours(flow: NDArray[np.float32], largest: float) -> NDArray[np.uint8]:
    """Flow as colours: the hue is the direction, the saturation the length; white stands still.

    Args:
        flow: (2, H, W), (down, right).
        largest: the length from which on colours are full.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    down, right = flow
    hue = np.rad2deg(np.arctan2(down, right)) % 360
    strength = np.minimum(np.hypot(down, right) / max(largest, 1e-6), 1)
    colours = np.stack([hue, strength, np.ones_like(hue)], axis=-1).astype(np.float32)
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_HSV2RGB) * 255 + 0.5, np.uint8)
