"""The state of an exported tracker, and how a later frame with given masks becomes a reference in its memory.

The long-term memory has a fixed number of frames (limpet/models/fixed_size.py): ``long.*`` (1, T*M, C) holds T frames
of M tokens. The first of them are references, whose masks were given; the others are tracked frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.core.tracker_protocol import Mask
from limpet.runtime.manifest import Manifest

Values = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class ExportedState:
    """All that an exported tracker knows after frame ``frame_index``. It never changes.

    values: the graphs' state by name, as the engine holds it.
    object_ids: the user's ids; ``object_ids[k]`` lives in slot k + 1.
    mask: (H, W) uint8, ids of the last frame. confidence: the expected IoU of each object's mask in it, 0 to 1.
    references: indices of the frames in the reference places.
    manifest: of the bundle that made it. nbytes: of all values and the mask.
    """

    values: Mapping[str, Any] = field(repr=False)
    object_ids: tuple[int, ...]
    frame_index: int
    mask: Mask = field(repr=False)
    confidence: dict[int, float]
    references: tuple[int, ...]
    manifest: Manifest = field(repr=False)
    nbytes: int

    @property
    def frame_size(self) -> tuple[int, int]:
        """(H, W) of the frames."""
        height, width = self.mask.shape
        return height, width

    @property
    def notices(self) -> tuple[str, ...]:
        """Nothing: what an exported tracker does, it does in every frame."""
        return ()

    def mask_array(self) -> Mask:
        """A copy of ``mask``."""
        return self.mask.copy()

    def with_mask(self, mask: Mask) -> ExportedState:
        """The same state with other ids (H, W) in place of those predicted for the last frame."""
        return replace(self, mask=np.array(mask))


@dataclass(frozen=True)
class MemoryLayout:
    """How many frames of the long-term memory are references, and how many are tracked frames (the ring)."""

    references: int
    ring: int

    def sentence(self, memory: str) -> str:
        """For reports. memory: the name of the policy."""
        tracked = "in a ring" if memory == "ring" else f"tracked, {memory}"
        return f"{self.references} references, {self.ring} {tracked}"

    def choose(self, known: tuple[int, ...], frame: int) -> tuple[int, tuple[int, ...]]:
        """Which reference a new one replaces or becomes, and the indices of all references afterwards.

        A frame that is a reference already keeps its position; another one is added at the end, or replaces the last
        one where there is no room, so that the first frame stays longest.

        Args:
            known: indices of the frames that are references. frame: the index of the new one.
        """
        place = known.index(frame) if frame in known else min(len(known), self.references - 1)
        return place, (*known[:place], frame, *known[place + 1 :])


def with_reference(
    values: Values, fresh: Values, places: MemoryLayout, place: int, offered: bool
) -> dict[str, Any]:
    """The state after masks were given for a frame that has been tracked already.

    Args:
        values: the state after the frame's step. fresh: the state that starts with the frame and its new masks.
        place: the frame's position among the references.
        offered: whether this frame was a candidate for the tracked frames. If it is among them, it leaves its place,
            because it has the masks that are now replaced.
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
    if "descriptor" in values:
        after["descriptor"] = values["descriptor"].copy()
        after["descriptor"][:, place] = fresh["descriptor"][:, 0]
    if places.ring:
        after["since"] = np.zeros_like(values["since"])
    if offered and "age" in values:
        after["memory_mask"][values["age"] == 0] = 0
    if offered and "cursor" in values:
        newest = (values["cursor"] - 1) % places.ring
        after["cursor"] = newest.astype(values["cursor"].dtype)
        after["memory_mask"][0, places.references + int(newest[0])] = 0
    return after


def _written(kept: NDArray[Any], fresh: NDArray[Any], place: int, count: int) -> NDArray[Any]:
    """``kept`` (1, T*M, C) with the first M tokens of ``fresh`` as its frame number ``place``."""
    tokens = kept.shape[1] // count
    after = kept.copy()
    after[:, place * tokens : (place + 1) * tokens] = fresh[:, :tokens]
    return after
