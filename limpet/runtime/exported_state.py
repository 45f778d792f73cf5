"""A frame whose masks a person gave becomes a reference in the long-term memory of a state that goes on.

What is where, limpet/models/fixed_size.py says: ``long.*`` (1, F*M, C) holds F frames of M tokens, the first places
references, the others a ring of tracked frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Places:
    """How many there are of each kind, as of the manifest."""

    references: int
    ring: int

    def choose(self, known: tuple[int, ...], frame: int) -> tuple[int, tuple[int, ...]]:
        """Which place a reference takes, and the frames in the places afterwards.

        The frame's own place if it has one, else the next free one, else the last: the first frame stays longest.

        Args:
            known: frames in the places that are taken. frame: the one to put in.
        """
        place = known.index(frame) if frame in known else min(len(known), self.references - 1)
        return place, (*known[:place], frame, *known[place + 1 :])


def with_reference(
    values: Values, fresh: Values, places: Places, place: int, in_ring: bool
) -> dict[str, Any]:
    """The state after a frame that is tracked already got masks from a person.

    Args:
        values: the state after the frame's step. fresh: the state that begins with the frame and its new masks.
        place: which it takes among the references.
        in_ring: whether the ring's newest frame is this one; it would remember the masks that are now replaced.
    """
    after: dict[str, Any] = dict(values)
    for name, new in fresh.items():
        if name.startswith("short."):
            after[name] = new
        elif name.startswith("long."):
            after[name] = _written(values[name], new, place, places.references + places.ring)
    after["present"] = np.maximum(values["present"], fresh["present"])
    if "memory_mask" in values:
        after["memory_mask"] = values["memory_mask"].copy()
        after["memory_mask"][:, place] = 1
    if places.ring:
        after["since"] = np.zeros_like(values["since"])
        if in_ring:
            newest = (values["cursor"] - 1) % places.ring
            after["cursor"] = newest.astype(values["cursor"].dtype)
            after["memory_mask"][0, places.references + int(newest[0])] = 0
    return after


def _written(kept: NDArray[Any], fresh: NDArray[Any], place: int, count: int) -> NDArray[Any]:
    """``kept`` (1, F*M, C) with the first M tokens of ``fresh`` at a place."""
    tokens = kept.shape[1] // count
    after = kept.copy()
    after[:, place * tokens : (place + 1) * tokens] = fresh[:, :tokens]
    return after
