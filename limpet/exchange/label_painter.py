"""Puts the masks of single objects into one label map, and counts where they overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.exchange.coco_rle import Counts, Labels, counts_to_flat


class LabelPainter:
    """Makes the label maps of a video; of objects that overlap, the one that is painted later is in front.

    Args:
        size: (H, W) of the frames in pixels.
        highest_id: of all objects; above 255 the maps are uint16.

    Attributes:
        overlaps: in how many frames objects overlapped.
    """

    def __init__(self, size: tuple[int, int], highest_id: int) -> None:
        self.size = size
        self.overlaps = 0
        self._dtype = np.uint8 if highest_id <= 255 else np.uint16
        self._begin()

    def paint_counts(self, object_id: int, counts: Counts) -> None:
        """An object by the column-major counts of the whole frame, see ``limpet.exchange.coco_rle``."""
        flat = counts_to_flat(counts)
        height = self.size[0]
        self._paint(object_id, (flat % height, flat // height))

    def paint_mask(self, object_id: int, mask: NDArray[np.bool_], left: int = 0, top: int = 0) -> None:
        """An object by a mask, bool (h, w), whose upper left pixel lies at ``left``, ``top`` of the frame.

        What lies outside of the frame is left out.
        """
        rows, columns = np.nonzero(mask)
        rows, columns = rows + top, columns + left
        inside = (rows >= 0) & (rows < self.size[0]) & (columns >= 0) & (columns < self.size[1])
        self._paint(object_id, (rows[inside], columns[inside]))

    def finish(self) -> Labels:
        """The label map, uint8 or uint16 (H, W), of what was painted since the last call."""
        labels = self._labels
        self.overlaps += self._overlapped
        self._begin()
        return labels

    def notice(self) -> Sequence[str]:
        """What to tell about overlaps, if there were any."""
        if not self.overlaps:
            return ()
        return (
            f"masks overlap in {self.overlaps} frame{'s' * (self.overlaps != 1)}, but limpet gives each pixel to one "
            "object: the object that comes later in the file is in front",
        )

    def _begin(self) -> None:
        self._labels: NDArray[Any] = np.zeros(self.size, self._dtype)
        self._overlapped = False

    def _paint(self, object_id: int, pixels: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
        self._overlapped = self._overlapped or bool(self._labels[pixels].any())
        self._labels[pixels] = object_id
