"""How fast a model is on this machine, in one number: the median time of a few steps."""

from __future__ import annotations

import numpy as np
import torch

from limpet.bench.bench_clip import synthetic_clip
from limpet.bench.config import BenchConfig
from limpet.bench.measure import OnFrame, measure_steps
from limpet.bench.target import make_target

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
    on_frame: OnFrame = lambda _: None,
) -> float:
    """Median seconds of ``Tracker.step``, after a warm-up, with as many threads as torch has.

    Args:
        model: name of a preset.
        device: see ``limpet.load``.
        size: (H, W) of the frames in pixels; there are OBJECTS objects in them.
        on_frame: called with the number of steps done, of STEPS.

    Raises:
        ModelError: unknown model or device.
    """
    settings = BenchConfig(
        model, device=device, size=size, objects=OBJECTS, threads=torch.get_num_threads(),
        frames=FRAMES, warm_up=WARM_UP,
    )  # fmt: skip
    recorded = measure_steps(make_target(settings), synthetic_clip(size, OBJECTS, STEPS), settings, on_frame)
    return float(np.median(recorded.whole()[:, 0]))
