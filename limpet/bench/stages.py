"""Which stage took how much of something that only grows: seconds, operations, bytes.

Each stage is charged only with its own share, without that of the stages inside it, so that the shares of all stages
add up to the whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reading = NDArray[np.float64]
ORDER = (
    "decode video", "prepare", "encoder", "long-term", "short-term", "self", "feed-forward", "projections",
    "propagation", "decoder", "labels", "confidences", "id bank", "remember", "step", "write masks", "rest",
)  # fmt: skip
"""The stages as a report lists them; "step" is all that an engine computes for a frame, where it does so in one go."""


class StageTimer:
    """Divides among stages what ``read`` counts.

    Args:
        read: returns what has been counted so far, as an array of any fixed length.
    """

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read
        self._open: list[str] = []
        self._since = read()
        self._spent: dict[str, Reading] = {}

    def begin(self, name: str) -> None:
        """From now on the stage ``name`` is charged, until it ends or another stage begins inside it."""
        self._charge()
        self._open.append(name)

    def end(self) -> None:
        """End the stage that began last."""
        self._charge()
        self._open.pop()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """The stage ``name`` lasts as long as the context."""
        self.begin(name)
        try:
            yield
        finally:
            self.end()

    def timed(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """A function that does the same as ``function``, in the stage ``name``."""

        def in_stage(*arguments: Any, **named: Any) -> Any:
            with self.stage(name):
                return function(*arguments, **named)

        return in_stage

    def take(self) -> dict[str, Reading]:
        """The shares by stage since the last call, in the order of ORDER."""
        self._charge()
        spent, self._spent = self._spent, {}
        return {name: spent[name] for name in sorted(spent, key=ORDER.index)}

    def _charge(self) -> None:
        reading = self._read()
        if self._open:
            name = self._open[-1]
            self._spent[name] = self._spent.get(name, np.zeros_like(reading)) + reading - self._since
        self._since = reading


def seconds(wait: Callable[[], None] = lambda: None) -> Reading:
    """Seconds by the clock, of CPU in all threads, and of CPU in this thread, once ``wait`` has returned.

    Args:
        wait: returns when a GPU has finished its work.
    """
    wait()
    return np.array([time.perf_counter(), time.process_time(), time.thread_time()])
