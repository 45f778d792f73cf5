"""``limpet bench``: one measurement, from its settings to its report; and a model's speed as one figure.

Neither torch nor another engine is imported before the memory of the bare program is known.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module

import numpy as np

from limpet.bench.bench_clip import synthetic_clip
from limpet.bench.config import SPEED_OBJECTS, SPEED_SIZE, BenchConfig
from limpet.bench.machine import describe_machine, resident_mb
from limpet.bench.measure import FRAMES_IN_MEMORY, FrameDone, Recording, measure_end_to_end, measure_steps
from limpet.bench.report import BenchReport, MemoryFacts, RunFacts, TimeFacts, stage_facts
from limpet.bench.roofline import RooflinePeaks, measure_peaks
from limpet.bench.target import BenchTarget, make_target
from limpet.runtime.engine import RUNTIMES

WARM_UP, FRAMES = 2, 5
STEPS = WARM_UP + FRAMES
"""How many steps ``measure_speed`` takes."""


def run_benchmark(
    config: BenchConfig, *, at_first_mb: float | None = None, on_frame: FrameDone = lambda _: None
) -> BenchReport:
    """Measure what ``config`` asks for.

    Args:
        at_first_mb: resident memory before torch or another engine was imported; by default that of now.
        on_frame: called with the number of frames done.

    Raises:
        ModelError, WeightsError, MissingExtraError, VideoError: it cannot be measured; the message says what can.
    """
    at_first_mb = resident_mb() if at_first_mb is None else at_first_mb
    machine = describe_machine()
    clip = None if config.end_to_end else synthetic_clip(config.size, config.objects, FRAMES_IN_MEMORY)
    _import_engine(config)
    libraries_mb = resident_mb()
    target = make_target(config)
    if clip is None:
        recording = measure_end_to_end(target, config, on_frame)
    else:
        recording = measure_steps(target, clip, config, on_frame)
    work = target.count(*recording.middle)
    peaks = _peaks(config)
    run = _run_facts(config, target, recording)
    return BenchReport(
        datetime.now(UTC).isoformat(timespec="seconds"),
        machine,
        run,
        TimeFacts.of(recording),
        MemoryFacts.of(recording, target.weights_mb, at_first_mb, libraries_mb),
        peaks,
        stage_facts(recording, work, peaks, run.precision),
    )


def measure_speed(
    model: str,
    device: str = "auto",
    *,
    size: tuple[int, int] = SPEED_SIZE,
    on_frame: FrameDone = lambda _: None,
) -> float:
    """The median seconds of a few steps of ``Tracker.step``, after a warm-up, with as many threads as torch has.

    Args:
        model: name of a preset.
        device: see ``limpet.load``.
        size: (H, W) of the frames in pixels; SPEED_OBJECTS objects are tracked in them.
        on_frame: called with the number of steps done, of STEPS.

    Raises:
        ModelError: unknown model or device.
    """
    import torch

    config = BenchConfig(
        model, device=device, size=size, objects=SPEED_OBJECTS, threads=torch.get_num_threads(),
        frames=FRAMES, warm_up=WARM_UP,
    )  # fmt: skip
    clip = synthetic_clip(size, SPEED_OBJECTS, STEPS)
    recording = measure_steps(make_target(config), clip, config, on_frame)
    return float(np.median(recording.whole()[:, 0]))


def _import_engine(config: BenchConfig) -> None:
    """Import what will compute, so that the memory of the libraries is known before the tracker is made."""
    if config.bundle is None:
        import_module("limpet.bench.torch_target")
        return
    runtime = RUNTIMES.get(config.engine)
    with suppress(ImportError):  # the runtime says in better words what is missing
        if runtime is not None:
            import_module(runtime.package)


def _run_facts(config: BenchConfig, target: BenchTarget, recording: Recording) -> RunFacts:
    facts = target.tracker.facts(config.size)
    height, width = facts.network_size
    return RunFacts(
        what="end to end" if config.end_to_end else "steps",
        model=facts.model,
        weights=target.weights,
        engine=target.engine,
        bundle=None if config.bundle is None else config.bundle.name,
        precision={"bfloat16": "bf16", "float32": "fp32"}.get(facts.precision, facts.precision),
        device=target.device,
        threads=config.threads,
        frame_size=config.size,
        network_size=(height, width),
        objects=config.objects,
        memory=facts.memory,
        frames=config.frames,
        warm_up=config.warm_up,
        overlay=config.overlay,
        clip=recording.clip,
    )


def _peaks(config: BenchConfig) -> RooflinePeaks | None:
    """The roofline, measured last: its large matrices are not part of the peak memory. None without torch."""
    try:
        import torch
    except ImportError:
        return None
    from limpet.tracking.load import choose_device

    torch.set_num_threads(config.threads)
    return measure_peaks("cpu" if config.bundle else choose_device(config.device))
