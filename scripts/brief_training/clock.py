"""How many steps of a training fit into its minutes."""

from __future__ import annotations

import multiprocessing
import statistics
import time

WINDOW = 16  # steps whose median is the present rate


class Clock:
    """How many steps fit into the time. It may be copied to worker processes, which see the present plan.

    Args:
        ends: time of ``time.monotonic`` at which the last step should be done.
        first: the step to begin with. most: the step to end with at the latest.
        guess: seconds of a step, before one was measured.
    """

    def __init__(self, ends: float, first: int, most: int, guess: float) -> None:
        self.ends, self.most = ends, most
        self.seconds: list[float] = []
        self._steps = multiprocessing.Value("d", 0.0)
        self._plan(first, guess)

    @property
    def steps(self) -> int:
        """Of the whole run, by what is known now."""
        return max(1, round(self._steps.value))

    def progress(self, step: int) -> float:
        """0 to 1."""
        return min(1.0, step / self.steps)

    def took(self, done: int, seconds: float) -> None:
        """A step took ``seconds``, with everything around it; ``done`` steps are done."""
        self.seconds.append(seconds)
        self._plan(done, self.rate())

    def rate(self, count: int = WINDOW) -> float:
        """Seconds of one of the last steps."""
        return statistics.median(self.seconds[-count:])

    def is_over(self, done: int) -> bool:
        """Whether there is no time for another step, or none is wanted."""
        needed = self.rate() if self.seconds else 0.0
        return done >= self.most or time.monotonic() + needed > self.ends

    def _plan(self, done: int, seconds: float) -> None:
        left = max(0.0, self.ends - time.monotonic()) / max(seconds, 1e-6)
        self._steps.value = min(float(self.most), done + max(1.0, left))


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
