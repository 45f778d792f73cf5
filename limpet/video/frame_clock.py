"""The times of frames: seconds since the first one that never decrease, however the clock of the source jumps."""

from __future__ import annotations

_STEPS_BACK = 5
"""Frames that a decoder returns out of order go back by fewer frame steps than this."""
LONGEST_GAP = 10.0
"""Seconds between two frames above which a clock that may jump (MPEG-TS, live sources) counts as having jumped."""


class FrameClock:
    """Makes times of time stamps.

    A clock that goes back, as where two recordings were joined, and one that jumps ahead where the format allows that,
    is followed from there on, one frame step after the last frame.

    Args:
        step: seconds between two frames.
        may_jump: whether a long gap between two frames is a jump; in files a frame may stay for hours.
    """

    def __init__(self, step: float, may_jump: bool) -> None:
        self._step, self._may_jump = step, may_jump
        self._origin: float | None = None
        self._before: float | None = None
        self.last = -step

    @property
    def origin(self) -> float | None:
        """The time stamp that counts as 0."""
        return self._origin

    def begin(self, origin: float, last: float | None = None) -> None:
        """Go on in the middle: ``origin`` is the time stamp of the first frame, ``last`` the time of the last one."""
        self._origin = origin
        self.last = self.last if last is None else last

    def shown_at(self, stamp: float) -> tuple[float, float | None]:
        """The time of the next frame, and by how many seconds its clock jumped; None if it did not.

        Args:
            stamp: its time stamp in seconds.
        """
        jump = None
        if self._origin is None:
            self._origin = stamp
        if self._before is not None:
            ahead = stamp - self._before
            if ahead < -_STEPS_BACK * self._step or (
                self._may_jump and ahead > max(LONGEST_GAP, 100 * self._step)
            ):
                jump = ahead
                self._origin = stamp - (self.last + self._step)
        self._before = stamp
        self.last = max(stamp - self._origin, self.last)
        return self.last, jump
