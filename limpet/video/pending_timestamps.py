"""The frames that a decoder owes: which of them it drops."""

from __future__ import annotations

from bisect import bisect_left, insort


class PendingTimestamps:
    """The presentation times that the decoder has not returned yet: finds the frames that it drops.

    Every frame of the input must give a frame of the output. A packet usually gives one frame, but some give none by
    design (hidden reference frames of VP8 and AV1). Therefore a time that is skipped counts as lost only after a
    decoding error and until the next key frame: the decoder silently drops frames that depend on a broken one.
    """

    def __init__(self) -> None:
        self._owed: list[int] = []  # presentation times, sorted
        self._failed: list[int] = []  # those whose packet raised an error, sorted
        self._damaged = False

    def expect(self, pts: int) -> None:
        """A packet for the frame at ``pts`` was sent to the decoder."""
        insort(self._owed, pts)

    def fail(self, pts: int) -> None:
        """Decoding the packet of ``pts`` raised an error."""
        insort(self._failed, pts)
        self._damaged = True

    def deliver(self, pts: int, key_frame: bool) -> list[int]:
        """The decoder returned the frame at ``pts``: the times before it that were lost, in order."""
        lost = self._take_before(pts)
        place = bisect_left(self._owed, pts)
        if place < len(self._owed) and self._owed[place] == pts:
            del self._owed[place]
        if key_frame and not self._failed:
            self._damaged = False
        return lost

    def missing_at_end(self) -> list[int]:
        """At the end of the stream: the times lost after the last frame."""
        return self._take_before(self._owed[-1] + 1) if self._owed else []

    def _take_before(self, pts: int) -> list[int]:
        passed, self._owed = _split(self._owed, pts)
        _, self._failed = _split(self._failed, pts)
        return passed if self._damaged else []


def _split(times: list[int], pts: int) -> tuple[list[int], list[int]]:
    place = bisect_left(times, pts)
    return times[:place], times[place:]
