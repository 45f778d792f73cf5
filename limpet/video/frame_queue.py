"""A bounded queue of frames between a live source and a slower tracker, and an account of dropped frames."""

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

_POLL_SECONDS = 0.1  # seconds between two calls of ``on_wait``
_A_MOMENT = 0.001
OnWait = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Arrived:
    """A frame, its arrival time (seconds of the queue's clock), and how many frames before it were dropped."""

    frame: Frame
    time: float
    dropped_before: int


class FrameQueue:
    """Hands frames from a reading thread to the tracking thread.

    Args:
        room: how many frames may wait.
        drop: when the queue is full, the oldest waiting frame is dropped and counted. Otherwise the source waits.
        clock: seconds since any point in time.
    """

    def __init__(self, room: int, drop: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._room, self._drop, self.clock = room, drop, clock
        self._waiting: deque[Arrived] = deque()
        self._changed = threading.Condition()
        self._dropped = 0
        self._ended = self._closed = False
        self._error: BaseException | None = None

    def put(self, frame: Frame) -> bool:
        """Reading thread: add a frame. Returns False once the queue is closed."""
        arrival = self.clock()
        with self._changed:
            while len(self._waiting) >= self._room and not self._closed:
                if not self._drop:
                    self._changed.wait()
                elif not self._changed.wait(_A_MOMENT):  # one who is ready to take gets a turn
                    self._dropped += self._waiting.popleft().dropped_before + 1
            if self._closed:
                return False
            self._waiting.append(Arrived(frame, arrival, self._dropped))
            self._dropped = 0
            self._changed.notify_all()
            return True

    def end(self, error: BaseException | None = None) -> None:
        """Reading thread: no more frames come. ``error`` is raised in the other thread, after the last frame."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def peek(self, on_wait: OnWait | None = None) -> Frame | None:
        """Wait for a frame and leave it in the queue; None at the end.

        ``on_wait`` is called regularly while no frame arrives; an exception that it raises ends the waiting.
        """
        with self._changed:
            while not self._waiting and not self._ended and not self._closed:
                self._changed.wait(_POLL_SECONDS)
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
                if (
                    self._waiting
                ):  # the frame may have been replaced by a newer one, but cannot have been taken
                    taken = self._waiting.popleft()
                    self._changed.notify_all()
                    return taken
        return None

    def close(self) -> None:
        """Tracking thread: discard the waiting frames, and make the reading thread stop."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()


@dataclass
class StreamAccount:
    """How well tracking kept up with a source.

    mode: "drop" or "block". dropped_before: for each tracked frame, how many were dropped before it; those before
    frame 0 arrived while the model was loaded. latencies: seconds from the arrival of a frame until its result is
    written.
    """

    mode: str
    dropped_before: array[int] = field(default_factory=lambda: array("L"))
    latencies: array[float] = field(default_factory=lambda: array("f"))

    @property
    def dropped(self) -> int:
        """Frames dropped since tracking began."""
        return sum(self.dropped_before[1:])

    @property
    def median(self) -> float:
        """Median latency in seconds; 0 without frames."""
        return statistics.median(self.latencies) if self.latencies else 0.0

    @property
    def longest(self) -> float:
        """Largest latency in seconds."""
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
        """As a sentence."""
        late = f"latency {_seconds(self.median)} (median), {_seconds(self.longest)} at most"
        if self.mode != "drop":
            return f"no frame dropped, {late}"
        came = self.dropped + len(self.dropped_before)
        return f"{self.dropped} of {came} frames dropped to keep up, {late}"


def _seconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
