"""The times of a video's frames, collected while they are written."""

from __future__ import annotations

from array import array
from fractions import Fraction

from limpet.exchange.mask_sequence import MaskFrame, MaskSequence, time_of


class FrameTimes:
    """Seconds since the first frame, by index. Frames without masks get those of a constant rate.

    Attributes:
        times: of all frames so far.
    """

    def __init__(self, sequence: MaskSequence) -> None:
        self._rate: Fraction | None = sequence.frame_rate
        self._count = sequence.frame_count or 0
        self.times: array[float] = array("d")

    def add(self, frame: MaskFrame) -> None:
        """The next frame; those that were left out before it are filled in."""
        self._fill(frame.index)
        self.times.append(frame.time)

    def add_gap(self, index: int) -> None:
        """A frame without masks."""
        self._fill(index + 1)

    def finish(self) -> array[float]:
        """The times of all frames of the video."""
        self._fill(self._count)
        return self.times

    def _fill(self, until: int) -> None:
        while len(self.times) < until:
            self.times.append(time_of(len(self.times), self._rate))
