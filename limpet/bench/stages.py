"""Which stage took how much of something that only grows: seconds, operations, bytes.

Each stage gets its own share, without that of stages inside it: the shares of all stages add up to the whole.
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
"""The stages as a report lists them; "step" stands for all of a frame's computing where an engine does it in one."""


class Stages:
    """Shares of what ``read`` counts.

    Args:
        read: returns what was counted up to now, as an array of any fixed length.
    """

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read
        self._open: list[str] = []
        self._since = read()
        self._spent: dict[str, Reading] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What is counted in ``with`` goes to ``name``, but for what inner stages take."""
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def watched(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """The same function as a stage."""

        def inside(*arguments: Any, **named: Any) -> Any:
            with self.stage(name):
                return function(*arguments, **named)

        return inside

    def take(self) -> dict[str, Reading]:
        """The shares by stage since the last call, in the order of ORDER."""
        self._turn()
        spent, self._spent = self._spent, {}
        return {name: spent[name] for name in sorted(spent, key=ORDER.index)}

    def _turn(self) -> None:
        reading = self._read()
        if self._open:
            name = self._open[-1]
            self._spent[name] = self._spent.get(name, np.zeros_like(reading)) + reading - self._since
        self._since = reading


def seconds(wait: Callable[[], None] = lambda: None) -> Reading:
    """By the clock, of CPU in all threads, of CPU in this thread; after ``wait``, which lets a GPU come to its end."""
    wait()
    return np.array([time.perf_counter(), time.process_time(), time.thread_time()])
