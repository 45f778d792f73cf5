"""Masks as VOT's files and its protocol write them: ``x,y,w,h`` of a box, then the runs in it.

The runs are the lengths of background and object in turn, row by row, background first; what is missing at the end is
background. Files put an ``m`` in front and write ``0`` for a frame without a region; the protocol puts ``mask:``.

Shapes: H W pixels; h w of the box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import DataError
from limpet.exchange.coco_rle import mask_counts

Plane = NDArray[np.bool_]
ABSENT = "0,0,1,1,1"
"""A box of one pixel of background: an object that is not there."""


@dataclass(frozen=True)
class BoxedMask:
    """The pixels of an object in a box; the box may reach beyond the image.

    x, y: of the box's upper left corner. mask: bool (h, w).
    """

    x: int
    y: int
    mask: Plane

    def on_image(self, size: tuple[int, int]) -> Plane:
        """The whole image, bool (H, W); what is beyond it is cut off."""
        height, width = size
        image = np.zeros(size, np.bool_)
        top, left = max(self.y, 0), max(self.x, 0)
        bottom, right = min(self.y + self.mask.shape[0], height), min(self.x + self.mask.shape[1], width)
        if top < bottom and left < right:
            part = self.mask[top - self.y : bottom - self.y, left - self.x : right - self.x]
            image[top:bottom, left:right] = part
        return image

    @property
    def is_empty(self) -> bool:
        """Whether it has no pixel."""
        return not self.mask.any()


NOTHING = BoxedMask(0, 0, np.zeros((0, 0), np.bool_))


def encode_region(mask: Plane) -> str:
    """A mask, bool (H, W), as ``x,y,w,h,runs``, cut to the box around its pixels.

    >>> encode_region(np.array([[0, 0, 0], [0, 1, 1], [0, 0, 1]], bool))
    '1,1,2,2,0,2,1,1'
    >>> encode_region(np.zeros((3, 3), bool))
    '0,0,1,1,1'
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return ABSENT
    top, left = int(rows[0]), int(columns[0])
    box = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    numbers = [left, top, box.shape[1], box.shape[0], *mask_counts(box, order="C").tolist()]
    return ",".join(map(str, numbers))


def decode_numbers(numbers: Sequence[int]) -> BoxedMask:
    """``x, y, w, h`` and runs as a mask.

    >>> decode_numbers([1, 1, 2, 2, 0, 2, 1, 1]).mask.astype(int).tolist()
    [[1, 1], [0, 1]]

    Raises:
        DataError: there are fewer than four numbers, or the runs do not fit into the box.
    """
    if len(numbers) < 4 or min(numbers[2:]) < 0:
        raise DataError(
            f"a mask of VOT is x,y,w,h and lengths of runs; found {','.join(map(str, numbers[:8]))}"
        )
    x, y, width, height, *runs = numbers
    total = sum(runs)
    if total > width * height:
        raise DataError(f"the runs of a VOT mask cover {total} pixels, but its box has {width}x{height}")
    flat = np.zeros(width * height, np.bool_)
    flat[:total] = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return BoxedMask(x, y, flat.reshape(height, width))


def decode_region(text: str, where: str = "a region") -> BoxedMask:
    """A mask from a file (``m…``, or ``0`` for none) or from the protocol (``mask:…``).

    A box of four numbers is taken where it has no area, as some trackers say that an object is not there.

    Args:
        where: names the file or request in an error.

    Raises:
        DataError: it is a box, a polygon or something else.
    """
    kind = next((start for start in ("mask:", "m") if text.startswith(start)), "")
    try:
        values = [float(part) for part in text.removeprefix(kind).split(",")]
    except ValueError as error:
        raise DataError(
            f"{where} is {text[:60]!r}; expected a mask as VOT writes it: m and numbers"
        ) from error
    if kind:
        return decode_numbers([int(value) for value in values])
    if len(values) == 1 or (len(values) == 4 and not (values[2] > 0 and values[3] > 0)):
        return NOTHING
    raise DataError(f"{where} is a box or a polygon, {text[:60]!r}; limpet works with masks alone")
