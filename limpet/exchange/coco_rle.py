"""COCO's run-length encoding of masks, in numpy; every result equals that of pycocotools.

A mask is read column by column. Its *counts* are the lengths of the runs, which alternate and start with background
(the first may be 0). The compressed form writes each count as the difference from the one two places before, in groups
of five bits from the lowest on, one ASCII character from 48 on for each group.

Legend: H W pixels of the frame; R runs.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import MaskError

Counts = NDArray[np.int64]  # (R,)
Labels = NDArray[np.uint8] | NDArray[np.uint16]  # (H, W) of object ids, 0 is background
Flags = NDArray[np.bool_]
_FIRST_CHARACTER = 48
_CONTINUES, _SIGN, _LOW = 0x20, 0x10, 0x1F
_MOST_GROUPS = 7
"""Groups of five bits of one count: 35 bits, as many as the size of any mask needs."""


def mask_counts(mask: NDArray[np.bool_] | NDArray[np.uint8], order: str = "F") -> Counts:
    """The counts of one mask.

    Args:
        mask: (H, W), bool or uint8; everything but 0 is the object.
        order: "F" reads column by column, as COCO does; "C" row by row, as CVAT does.

    Returns:
        int64 (R,), whose sum is H * W.
    """
    plane = np.ascontiguousarray(mask, np.bool_).view(np.uint8)
    if order == "F" and plane.size:
        plane = np.asarray(cv2.transpose(plane), np.uint8).reshape(plane.shape[::-1])  # (W, H)
    return _alternating(plane.ravel())


def label_counts(labels: Labels) -> dict[int, Counts]:
    """The counts of every object of a label map, ids ascending, in one pass over its pixels.

    Args:
        labels: uint8 or uint16 (H, W) of object ids; 0 is background.
    """
    if labels.size == 0:
        return {}
    flat: NDArray[Any] = np.ravel(cv2.transpose(labels))  # column by column
    begins: NDArray[np.int64] = np.append(np.int64(0), _changes(flat))
    lengths = np.diff(np.append(begins, flat.size))
    owners = flat[begins]
    order = np.argsort(owners, kind="stable")
    ids, firsts = np.unique(owners[order], return_index=True)
    parts = np.split(order, firsts[1:])
    return {
        int(i): _counts_of_runs(begins[part], lengths[part], flat.size)
        for i, part in zip(ids, parts, strict=True)
        if i
    }


def counts_to_flat(counts: Counts) -> NDArray[np.int64]:
    """The positions (column by column) of the object's pixels, ascending, int64."""
    ends = np.cumsum(counts)
    begins, lengths = ends[0:-1:2] if len(counts) % 2 else ends[0::2], counts[1::2]
    begins = begins[: len(lengths)]
    total = int(lengths.sum())
    shift = np.repeat(begins - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths)
    return np.arange(total) + shift


def counts_to_mask(counts: Counts, size: tuple[int, int], order: str = "F") -> Flags:
    """The mask, bool (H, W), of counts whose sum is H * W."""
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    height, width = size
    return flat.reshape(height, width) if order == "C" else flat.reshape(width, height).T


def area(counts: Counts) -> int:
    """The number of the object's pixels."""
    return int(counts[1::2].sum())


def bounding_box(counts: Counts, height: int) -> tuple[int, int, int, int]:
    """(left, top, width, height) of the object in pixels; all 0 if it has none. ``height``: of the frame."""
    ends = np.cumsum(counts)
    inside = counts[1::2] > 0
    if not inside.any():
        return 0, 0, 0, 0
    begins, lasts = (ends[1::2] - counts[1::2])[inside], ends[1::2][inside] - 1
    left, right = begins[0] // height, lasts[-1] // height
    if (begins // height < lasts // height).any():  # a run that goes on in the next column spans all rows
        top, bottom = 0, height - 1
    else:
        top, bottom = (begins % height).min(), (lasts % height).max()
    return int(left), int(top), int(right - left + 1), int(bottom - top + 1)


def compress(counts: Counts) -> str:
    """The string of ``counts``, as in COCO's JSON files.

    >>> compress(np.array([5, 3, 200]))
    '53W6'
    """
    differences = counts.astype(np.int64)
    differences[3:] -= counts[1:-2]
    columns: list[NDArray[np.int64]] = []
    used: list[Flags] = []
    rest, open_ = differences, np.ones(len(counts), np.bool_)
    while open_.any():
        low = rest & _LOW
        rest = rest >> 5
        more = np.where(low & _SIGN, rest != -1, rest != 0)
        columns.append(low + np.where(more, _CONTINUES, 0) + _FIRST_CHARACTER)
        used.append(open_)
        open_ = open_ & more
    if not columns:
        return ""
    characters = np.stack(columns, axis=1).astype(np.uint8)  # (R, groups)
    return characters[np.stack(used, axis=1)].tobytes().decode("ascii")


def decompress(text: str | bytes, pixels: int) -> Counts:
    """The counts of a compressed string.

    Args:
        pixels: H * W of the mask, which the counts must sum up to.

    Raises:
        MaskError: it is not such a string, or belongs to a mask of another size.
    """
    data = text.encode("ascii", "replace") if isinstance(text, str) else text
    values = np.frombuffer(data, np.uint8).astype(np.int64) - _FIRST_CHARACTER
    ends = np.flatnonzero((values & _CONTINUES) == 0)
    wrong = values.size and (
        values.min() < 0 or values.max() > 63 or not len(ends) or ends[-1] != len(values) - 1
    )
    if wrong:
        raise MaskError("the RLE of a mask is damaged: it is not a string that COCO's encoding makes")
    if not values.size:
        return checked_counts(np.zeros(0, np.int64), pixels)
    begins = np.concatenate(([0], ends[:-1] + 1))
    groups = ends - begins + 1
    if groups.max() > _MOST_GROUPS:
        raise MaskError("the RLE of a mask is damaged: it has a run of more pixels than any picture")
    place = np.arange(len(values)) - np.repeat(begins, groups)
    differences = np.add.reduceat((values & _LOW) << (5 * place), begins)
    differences -= np.where(values[ends] & _SIGN, np.int64(1) << (5 * groups), 0)
    counts = differences
    counts[1::2] = np.cumsum(differences[1::2])
    counts[2::2] = np.cumsum(differences[2::2])
    return checked_counts(counts, pixels)


def checked_counts(counts: Counts, pixels: int) -> Counts:
    """The same, once it is certain that they are those of a mask of ``pixels`` pixels. Raises MaskError."""
    if counts.size and (int(counts.min()) < 0 or int(counts.max()) > pixels):
        raise MaskError(
            "the RLE of a mask is damaged: it has a run of negative length, or beyond the picture"
        )
    total = int(counts.sum())
    if total != pixels:
        raise MaskError(
            f"the RLE of a mask covers {total} pixels, but its size has {pixels}; the file is damaged, or "
            "its size wrong"
        )
    return counts


def _alternating(flat: NDArray[np.uint8]) -> Counts:
    if flat.size == 0:
        return np.zeros(0, np.int64)
    bounds = np.concatenate(([0], _changes(flat), [flat.size]))
    counts = np.diff(bounds)
    return np.concatenate(([0], counts)) if flat[0] else counts


def _changes(flat: NDArray[Any]) -> NDArray[np.int64]:
    """The positions whose value differs from the one before."""
    return np.flatnonzero(flat[1:] != flat[:-1]) + 1


def _counts_of_runs(begins: NDArray[np.int64], lengths: NDArray[np.int64], pixels: int) -> Counts:
    """Counts of one object from its runs. Neighbouring runs never touch, since one label makes one run."""
    ends = begins + lengths
    counts = np.empty(2 * len(begins) + 1, np.int64)
    counts[0] = begins[0]
    counts[1::2] = lengths
    counts[2:-1:2] = begins[1:] - ends[:-1]
    counts[-1] = pixels - ends[-1]
    return counts if counts[-1] else counts[:-1]
