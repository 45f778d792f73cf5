"""``limpet bench``: one measurement from its settings to the facts of its report."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from limpet.bench.bench_clip import synthetic_clip
from limpet.bench.config import BenchConfig
from limpet.bench.machine import describe, resident_mb
from limpet.bench.measure import FRAMES_IN_MEMORY, OnFrame, Recorded, measure_end_to_end, measure_steps
from limpet.bench.report import FORMAT, memory_facts, stage_facts, time_facts
from limpet.bench.roofline import RooflinePeaks, measure_peaks
from limpet.bench.target import Subject, make_target
from limpet.runtime.engine import RUNTIMES


def bench(
    settings: BenchConfig, *, at_first_mb: float | None = None, on_frame: OnFrame = lambda _: None
) -> dict[str, Any]:
    """Measure, and return the report as plain data (limpet/bench/schema.json says what is in it).

    Args:
        at_first_mb: resident memory before torch or another engine was imported; now, unless given.
        on_frame: called with the number of frames done.

    Raises:
        ModelError, WeightsError, MissingExtraError, VideoError: what cannot be measured; says what can.
    """
    at_first_mb = resident_mb() if at_first_mb is None else at_first_mb
    machine = describe()
    clip = None if settings.end_to_end else synthetic_clip(settings.size, settings.objects, FRAMES_IN_MEMORY)
    _import_engine(settings)
    libraries_mb = resident_mb()
    subject = make_target(settings)
    if clip is None:
        recorded = measure_end_to_end(subject, settings, on_frame)
    else:
        recorded = measure_steps(subject, clip, settings, on_frame)
    work = subject.count(*recorded.middle)
    ceilings = _ceilings(settings)
    facts = subject.tracker.facts(settings.size)
    return {
        "format": FORMAT,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "run": _run_facts(settings, subject, recorded, facts),
        "time": time_facts(recorded),
        "memory": memory_facts(recorded, subject.weights_mb, at_first_mb, libraries_mb),
        "ceilings": None if ceilings is None else asdict(ceilings),
        "stages": stage_facts(recorded, work, ceilings, _precision(facts)),
    }


def _import_engine(settings: BenchConfig) -> None:
    """So that what libraries take is known before the tracker is made."""
    if settings.bundle is None:
        import limpet.bench.torch_target

        return
    import limpet.bench.target  # noqa: F401

    runtime = RUNTIMES.get(settings.engine)
    with suppress(ImportError):  # the runtime says in better words what is missing
        if runtime is not None:
            import_module(runtime.package)


def _run_facts(
    settings: BenchConfig, subject: Subject, recorded: Recorded, facts: dict[str, Any]
) -> dict[str, Any]:
    return {
        "what": "end to end" if settings.end_to_end else "steps",
        "model": facts["model"],
        "weights": subject.weights,
        "engine": subject.engine,
        "bundle": None if settings.bundle is None else settings.bundle.name,
        "precision": _precision(facts),
        "device": subject.device,
        "threads": settings.threads,
        "frame_size": list(settings.size),
        "network_size": list(facts["network_size"]),
        "objects": settings.objects,
        "memory": facts["memory"],
        "frames": settings.frames,
        "warm_up": settings.warm_up,
        "overlay": settings.overlay,
        "footage": recorded.footage,
    }


def _precision(facts: dict[str, Any]) -> str:
    precision: str = facts["precision"]
    return {"bfloat16": "bf16", "float32": "fp32"}.get(precision, precision)


def _ceilings(settings: BenchConfig) -> RooflinePeaks | None:
    """Measured last: its large matrices are no part of the peak memory. None without torch, which measures them."""
    try:
        import torch
    except ImportError:
        return None
    from limpet.tracking.load import choose_device

    torch.set_num_threads(settings.threads)
    return measure_peaks("cpu" if settings.bundle else choose_device(settings.device))
