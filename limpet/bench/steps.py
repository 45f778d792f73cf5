"""Measures the steps of a tracker alone: frames lie in memory, and masks go nowhere."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from limpet.bench.record import OnFrame, Recorded, Recorder
from limpet.bench.settings import BenchSettings
from limpet.bench.subject import Subject
from limpet.errors import ModelError

Clip = tuple[list[NDArray[np.uint8]], NDArray[np.uint8]]
FRAMES_IN_MEMORY = 16


def measure_steps(
    subject: Subject, clip: Clip, settings: BenchSettings, on_frame: OnFrame = lambda _: None
) -> Recorded:
    """Track the frames (H, W, 3) of ``clip`` over and over from its mask (H, W).

    Raises:
        ModelError: an object of the mask is hidden, so that fewer are tracked than were asked for.
    """
    frames, mask = clip
    check_objects(mask, settings)
    recorder = Recorder(settings.warm_up, settings.frames, subject.wait, on_frame)
    before = time.perf_counter()
    state = subject.tracker.start(frames[0], mask)
    subject.wait()
    start_seconds = time.perf_counter() - before
    with subject.watched(recorder.stages):
        for index in range(1, recorder.total + 1):
            frame = frames[index % len(frames)]
            recorder.offer(frame, state)
            with recorder.frame(), recorder.stages.stage(subject.step_stage):
                _, state = subject.tracker.step(frame, state)
    return recorder.recorded(state, "made-up discs", start_seconds)


def check_objects(mask: NDArray[np.uint8], settings: BenchSettings) -> None:
    """Raises ModelError unless the mask holds as many objects as are to be tracked."""
    found = np.count_nonzero(np.unique(mask))
    if found != settings.objects:
        raise ModelError(
            f"{settings.objects} objects do not fit into frames of {settings.size[0]}x{settings.size[1]} "
            f"side by side ({found} can be seen); choose fewer --objects or a larger --size"
        )
