"""A report with figures that are easy to reckon with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from limpet.bench.machine import MachineFacts
from limpet.bench.measure import Recording
from limpet.bench.report import (
    BenchReport,
    MemoryFacts,
    Quartiles,
    RunFacts,
    StageFacts,
    TimeFacts,
    stage_facts,
)
from limpet.bench.roofline import RooflinePeaks
from limpet.bench.target import Work

PEAKS = RooflinePeaks({"fp32": 100.0, "bf16": 200.0}, {"fp32": 90.0, "bf16": 250.0}, copy=20.0)
WORK = Work({"encoder": (2e9, 100e6), "rest": (0.0, 1e6)})
MACHINE = MachineFacts(
    cpu="AMD EPYC", flags=("avx2",), cores=2, system="Linux 6", load=0.1, cores_used_by_others=0.0, environment={},
    python="3.11.7", limpet="0.1.0", packages={"torch": "2.13.0"}, commit="abc",
)  # fmt: skip
RUN = RunFacts(
    what="steps", model="deaot-t", weights="random", engine="torch 2.13.0", bundle=None, precision="bf16",
    device="cpu", threads=2, frame_size=(480, 854), network_size=(481, 849), objects=3, memory="first", frames=3,
    warm_up=0, overlay=False, clip="synthetic discs",
)  # fmt: skip


def recorded(encoder_ms: tuple[float, ...] = (9.0, 10.0, 11.0)) -> Recording:
    """Frames whose encoder takes so long, with twice as much CPU time; the rest takes 1 ms."""
    frames = tuple(
        {"encoder": np.array([ms, 2 * ms, ms]) / 1e3, "rest": np.array([1.0, 1.0, 1.0]) / 1e3}
        for ms in encoder_ms
    )
    return Recording(frames, (None, None), 8.0, 400.0, 0.0, 0.1, None, "synthetic discs")


def report(**run: Any) -> BenchReport:
    """A whole report; ``run`` replaces facts of the run."""
    found = recorded()
    return BenchReport(
        "2026-11-21T16:00:00+00:00",
        MACHINE,
        replace(RUN, **run),
        TimeFacts.of(found),
        MemoryFacts.of(found, 14.0, 50.0, 300.0),
        PEAKS,
        stage_facts(found, WORK, PEAKS, "bf16"),
    )


def with_time(found: BenchReport, **changes: Any) -> BenchReport:
    """The same report with other facts of the time."""
    return replace(found, time=replace(found.time, **changes))


def with_memory(found: BenchReport, **changes: Any) -> BenchReport:
    """The same report with other facts of the memory."""
    return replace(found, memory=replace(found.memory, **changes))


def with_median(row: StageFacts, factor: float) -> StageFacts:
    """The same stage with its times multiplied."""
    ms = row.ms
    return replace(row, ms=Quartiles(factor * ms.quartile_1, factor * ms.median, factor * ms.quartile_3))


def slower(old: BenchReport, stage: str, factor: float) -> BenchReport:
    """The same report with one stage's time multiplied."""
    rows = (with_median(row, factor) if row.name == stage else row for row in old.stages)
    return replace(old, stages=tuple(rows))
