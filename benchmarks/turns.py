"""Times of a step of several trackers, which take turns frame by frame: other load on the machine affects all alike."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class StepTimes(NamedTuple):
    """Medians in milliseconds: by the clock, and of the processor, which is the safer figure on a busy machine.

    state_mb: of the last state.
    """

    clock: float
    cpu: float
    state_mb: float


def step_times(
    trackers: Mapping[Any, Any],
    frames: Sequence[NDArray[np.uint8]],
    masks: Mapping[Any, NDArray[np.uint8]],
    warm_up: int,
) -> dict[Any, StepTimes]:
    """Times of each tracker by its name.

    Args:
        trackers: with ``start`` and ``step``, in torch or exported.
        frames: of a clip; the first belongs to ``masks``, which are for each tracker by its name.
        warm_up: steps that do not count.
    """
    states = {name: tracker.start(frames[0], masks[name]) for name, tracker in trackers.items()}
    spent: dict[Any, list[tuple[float, float]]] = {name: [] for name in trackers}
    for frame in frames[1:]:
        for name, tracker in trackers.items():
            before = time.perf_counter(), time.process_time()
            _, states[name] = tracker.step(frame, states[name])
            spent[name].append((time.perf_counter() - before[0], time.process_time() - before[1]))
    found = {}
    for name, each in spent.items():
        clock, cpu = 1e3 * np.median(np.array(each[warm_up:]), axis=0)
        found[name] = StepTimes(float(clock), float(cpu), states[name].nbytes / 1e6)
    return found
