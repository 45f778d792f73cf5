"""What stands between a source that does not wait and a tracker that may be slower: a queue of bounded length."""

from __future__ import annotations

import statistics
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from limpet.video.video_reader import Frame

_LOOK_UP = 0.1  # seconds between two calls of ``on_wait``
OnWait = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Arrived:
    """A frame, when it came (seconds of the queue's clock), and how many before it were dropped."""

    frame: Frame
    time: float
    dropped_before: int


class FrameQueue:
    """Frames on their way from a thread that reads to the one that tracks.

    Args:
        room: how many frames may wait.
        drop: when there is no room, the oldest that waits goes, and is counted. Otherwise the source has to wait.
        clock: seconds from any beginning.
    """

    def __init__(self, room: int, drop: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._room, self._drop, self.clock = room, drop, clock
        self._waiting: deque[Arrived] = deque()
        self._changed = threading.Condition()
        self._dropped = 0
        self._ended = self._closed = False
        self._error: BaseException | None = None

    def put(self, frame: Frame) -> bool:
        """For the reading side. Returns False when nobody wants frames any more."""
        arrival = self.clock()
        with self._changed:
            while len(self._waiting) >= self._room and not self._closed:
                if self._drop:
                    self._dropped += self._waiting.popleft().dropped_before + 1
                else:
                    self._changed.wait()
            if self._closed:
                return False
            self._waiting.append(Arrived(frame, arrival, self._dropped))
            self._dropped = 0
            self._changed.notify_all()
            return True

    def end(self, error: BaseException | None = None) -> None:
        """For the reading side: no more frames come. ``error`` is raised in the other thread, after the last frame."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def peek(self, on_wait: OnWait | None = None) -> Frame | None:
        """Wait for a frame and leave it there; None at the end.

        ``on_wait`` is called now and then while nothing comes; what it raises ends the waiting.
        """
        with self._changed:
            while not self._waiting and not self._ended and not self._closed:
                self._changed.wait(_LOOK_UP)
                if on_wait is not None and not self._waiting:
                    on_wait()
            if self._waiting:
                return self._waiting[0].frame
            if self._error is not None:
                raise self._error
            return None

    def take(self, on_wait: OnWait | None = None) -> Arrived | None:
        """Wait for a frame and take it; None at the end. Only one thread may take."""
        while self.peek(on_wait) is not None:
            with self._changed:
                if self._waiting:  # what was seen may have been dropped for a newer one, but not been taken
                    taken = self._waiting.popleft()
                    self._changed.notify_all()
                    return taken
        return None

    def close(self) -> None:
        """For the tracking side: let go of what waits, and send the reading side home."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()


@dataclass
class StreamAccount:
    """How far tracking kept up with a source.

    mode: "drop" or "block". dropped_before: for each frame tracked, how many before it were left out; those before
    frame 0 came while the tracker got ready. latencies: seconds from a frame's arrival to its result written.
    """

    mode: str
    dropped_before: array[int] = field(default_factory=lambda: array("L"))
    latencies: array[float] = field(default_factory=lambda: array("f"))

    @property
    def dropped(self) -> int:
        """Frames left out since tracking began."""
        return sum(self.dropped_before[1:])

    @property
    def median(self) -> float:
        """Of the latencies, in seconds; 0 when there is none."""
        return statistics.median(self.latencies) if self.latencies else 0.0

    @property
    def longest(self) -> float:
        """Of the latencies, in seconds."""
        return max(self.latencies, default=0.0)

    def as_dict(self) -> dict[str, Any]:
        """For report.json."""
        return {
            "mode": self.mode,
            "dropped": self.dropped,
            "dropped_before": self.dropped_before.tolist(),
            "latency_median_seconds": round(self.median, 3),
            "latency_longest_seconds": round(self.longest, 3),
        }

    def sentence(self) -> str:
        """For a person."""
        late = f"latency {_seconds(self.median)} (median), {_seconds(self.longest)} at most"
        if self.mode != "drop":
            return f"no frame dropped, {late}"
        came = self.dropped + len(self.dropped_before)
        return f"{self.dropped} of {came} frames dropped to keep up, {late}"


def _seconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
