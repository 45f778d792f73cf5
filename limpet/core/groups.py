"""Groups of objects: a network has ten id slots, so more objects are split into groups that share one encoder pass.

Legend: H W pixels; N objects; S id slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import MaskError, ModelError


def object_ids(mask: NDArray[np.uint8]) -> tuple[int, ...]:
    """The ids in a mask, ascending, without background."""
    return tuple(int(i) for i in np.unique(mask) if i != 0)


def into_slots(mask: NDArray[np.uint8], ids: Sequence[int]) -> NDArray[np.uint8]:
    """Masks (..., H, W) of ids -> masks of slots: 1 for the first of ``ids``, and so on; 0 for all other ids."""
    table = np.zeros(256, np.uint8)
    table[list(ids)] = np.arange(1, len(ids) + 1)
    slots: NDArray[np.uint8] = table[mask]
    return slots


def split_into_groups(ids: Sequence[int], slots: int) -> list[tuple[int, ...]]:
    """Ids in order, ``slots`` per group."""
    return [tuple(ids[i : i + slots]) for i in range(0, len(ids), slots)]


def extend_groups(
    groups: Sequence[tuple[int, ...]], new_ids: Iterable[int], slots: int, independent: bool = False
) -> list[tuple[int, ...]]:
    """Put new ids into the free slots of the last group, then into new groups; no id changes its slot.

    Args:
        independent: memories hold exactly the objects they were made for, so that new ids always make new groups.
    """
    *full, last = groups
    new = list(new_ids)
    if independent:
        return [*groups, *split_into_groups(new, slots)]
    room = max(slots - len(last), 0)  # a group of another tracker may be larger than this one would make it
    return [*full, (*last, *new[:room]), *split_into_groups(new[room:], slots)]


def objects_per_pass(slots: int, wanted: int | None) -> int:
    """How many objects share a pass of a network with ``slots`` id slots; at most ``wanted``. Raises ModelError."""
    if wanted is not None and (not isinstance(wanted, int) or wanted < 1):
        raise ModelError(f"objects_at_once is {wanted!r}; expected 1 to {slots}")
    return slots if wanted is None else min(slots, wanted)


def check_mask(mask: NDArray[np.uint8], size: tuple[int, int], allow_empty: bool = False) -> None:
    """Raises MaskError unless the mask is uint8 (H, W) of the frame's size and holds an object."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.uint8 or mask.ndim != 2:
        came = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise MaskError(
            f"a mask is {came}; expected a numpy array uint8 (height, width) of object ids 0..255"
        )
    if mask.shape != size:
        raise MaskError(
            f"mask is {mask.shape[0]}x{mask.shape[1]} but the frame is {size[0]}x{size[1]}; "
            f"resize it to the frame by nearest neighbour"
        )
    if not allow_empty and not mask.any():
        raise MaskError(
            "the mask holds no object: every pixel is background (0); draw each object with an id 1..255"
        )
