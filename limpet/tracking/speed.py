"""How fast a model is on this machine: the median time of a few steps with random weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
from numpy.typing import NDArray

from limpet.models import build_model
from limpet.registry import find
from limpet.tracking.load import choose_device
from limpet.tracking.tracker import Tracker

SIZE = (480, 854)
OBJECTS = 3
WARM_UP = 2
FRAMES = 5
STEPS = WARM_UP + FRAMES


def measure_speed(
    model: str,
    device: str = "auto",
    *,
    size: tuple[int, int] = SIZE,
    on_frame: Callable[[int], None] = lambda _: None,
) -> float:
    """Median seconds of ``Tracker.step``, after a warm-up. The weights are random: they do not change the speed.

    Args:
        model: name of a preset.
        device: see ``limpet.load``.
        size: (H, W) of the frames in pixels; there are OBJECTS objects in them.
        on_frame: called with the number of steps done, of STEPS.

    Raises:
        ModelError: unknown model or device.
    """
    tracker = Tracker(build_model(find(model).config()), choose_device(device))
    frame, mask = _made_up_frame(size)
    state = tracker.start(frame, mask)
    seconds = []
    for done in range(1, STEPS + 1):
        before = time.perf_counter()
        _, state = tracker.step(
            frame, state
        )  # the mask it returns is in memory: a GPU has come to its end too
        seconds.append(time.perf_counter() - before)
        on_frame(done)
    return median(seconds[WARM_UP:])


def _made_up_frame(size: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Noise uint8 (H, W, 3), and uint8 (H, W) with the objects as boxes side by side."""
    frame = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    mask = np.zeros(size, np.uint8)
    height, width = size
    for index in range(OBJECTS):
        left = (2 * index + 1) * width // (2 * OBJECTS + 1)
        mask[height // 4 : 3 * height // 4, left : left + width // (2 * OBJECTS + 1)] = index + 1
    return frame, mask
