"""Key frames: where a person said what is right; and by them, which frames are out of date.

A frame is a key frame of an object when its mask there was given (``add``, ``correct``), or when it is locked, which
makes it a key frame of every object.
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
        # Inside a locked span nothing is ever looked up from a neighbour: its two ends stand for it.
        ends = {frame for span in snapshot.locked for frame in span}
        given = {i: {frame for frame, ids in snapshot.given.items() if i in ids} for i in snapshot.objects}
        self._frames = {i: sorted(frames | ends) for i, frames in given.items()}

    def of(self, object_id: int) -> list[int]:
        """Its key frames, ascending; of a locked span the first and the last frame."""
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
        """What a frame's mask is worth.

        empty: there is none. locked: accepted. corrected: a key frame. stale: a key frame beside it was given
        anew since, or an object there is one that was never followed to here. propagated: everything else.
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
        """Whether a key frame beside ``frame`` is younger than what ``frame`` has of the object.

        Before its first key frame an object is only out of date if it was followed there once.
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
