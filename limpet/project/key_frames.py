"""Key frames, in which a person gave masks, and which frames are out of date because of them.

A frame is a key frame of an object if the object's mask was given there (``add``, ``correct``), or if the frame is
locked, which makes it a key frame of every object.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Literal

from limpet.project.snapshot import Entry, Snapshot

Status = Literal["empty", "propagated", "corrected", "locked", "stale", "unreadable"]
STATUSES: tuple[Status, ...] = ("empty", "propagated", "corrected", "locked", "stale", "unreadable")


class Keys:
    """The key frames of a snapshot.

    Args:
        entry: gives what is known of a frame.
    """

    def __init__(self, snapshot: Snapshot, entry: Callable[[int], Entry | None]) -> None:
        self._snapshot, self._entry = snapshot, entry
        # No frame inside a locked span is ever updated from its neighbours, so that its two ends represent it.
        ends = {frame for span in snapshot.locked for frame in span}
        given = {i: {frame for frame, ids in snapshot.given.items() if i in ids} for i in snapshot.objects}
        self._frames = {i: sorted(frames | ends) for i, frames in given.items()}

    def of(self, object_id: int) -> list[int]:
        """The key frames of an object, ascending; of a locked span the first and the last frame."""
        return self._frames.get(object_id, [])

    def at(self, frame: int) -> tuple[int, ...]:
        """The objects whose key frame this is."""
        if self._snapshot.is_locked(frame):
            return tuple(sorted(self._snapshot.objects))
        return self._snapshot.given.get(frame, ())

    def before(self, frame: int, object_id: int) -> int | None:
        """The nearest key frame before ``frame``, or None."""
        frames = self.of(object_id)
        position = bisect_left(frames, frame)
        return frames[position - 1] if position else None

    def after(self, frame: int, object_id: int) -> int | None:
        """The nearest key frame after ``frame``, or None."""
        frames = self.of(object_id)
        position = bisect_right(frames, frame)
        return frames[position] if position < len(frames) else None

    def status(self, frame: int) -> Status:
        """The status of a frame.

        empty: it has no mask. locked: accepted. corrected: a key frame. stale: a neighbouring key frame is newer, or
        an object was never propagated to this frame. propagated: everything else.
        """
        if self._snapshot.is_locked(frame):
            return "locked"
        if frame in self._snapshot.given:
            return "corrected"
        entry = self._entry(frame)
        if entry is None:
            return "empty"
        return "stale" if any(self.is_stale(frame, i) for i in self._snapshot.objects) else "propagated"

    def is_stale(self, frame: int, object_id: int) -> bool:
        """Whether a neighbouring key frame is newer than what ``frame`` has of the object.

        Before its first key frame, an object is out of date only if it was propagated there once.
        """
        if object_id in self.at(frame):
            return False
        mine = self._version(frame, object_id)
        left, right = self.before(frame, object_id), self.after(frame, object_id)
        if left is None and mine == 0:
            return False
        return any(key is not None and self._version(key, object_id) > mine for key in (left, right))

    def _version(self, frame: int, object_id: int) -> int:
        entry = self._entry(frame)
        return 0 if entry is None else entry.objects.get(object_id, (0, 0.0))[0]
