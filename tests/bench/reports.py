"""A report with figures that are easy to reckon with."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from limpet.bench.measure import Recorded
from limpet.bench.report import FORMAT, memory_facts, stage_facts, time_facts
from limpet.bench.roofline import RooflinePeaks
from limpet.bench.target import Work

CEILINGS = RooflinePeaks({"fp32": 100.0, "bf16": 200.0}, {"fp32": 90.0, "bf16": 250.0}, copy=20.0)
WORK = Work({"encoder": (2e9, 100e6), "rest": (0.0, 1e6)})


def recorded(encoder_ms: tuple[float, ...] = (9.0, 10.0, 11.0)) -> Recorded:
    """Frames whose encoder takes so long, with twice as much CPU time; the rest takes 1 ms."""
    frames = tuple(
        {"encoder": np.array([ms, 2 * ms, ms]) / 1e3, "rest": np.array([1.0, 1.0, 1.0]) / 1e3}
        for ms in encoder_ms
    )
    return Recorded(frames, (None, None), 8.0, 400.0, 0.0, 0.1, None, "made-up discs")


def report(**run: Any) -> dict[str, Any]:
    """A whole report; ``run`` replaces facts of the run."""
    found = recorded()
    return {
        "format": FORMAT,
        "date": "2026-11-21T16:00:00+00:00",
        "machine": {
            "cpu": "AMD EPYC", "flags": ["avx2"], "cores": 2, "system": "Linux 6", "load": 0.1,
            "cores_of_others": 0.0, "environment": {}, "python": "3.11.7", "limpet": "0.1.0",
            "packages": {"torch": "2.13.0"}, "commit": "abc",
        },
        "run": {
            "what": "steps", "model": "deaot-t", "weights": "random", "engine": "torch 2.13.0", "bundle": None,
            "precision": "bf16", "device": "cpu", "threads": 2, "frame_size": [480, 854],
            "network_size": [481, 849], "objects": 3, "memory": "first", "frames": 3, "warm_up": 0,
            "overlay": False, "footage": "made-up discs", **run,
        },
        "time": time_facts(found),
        "memory": memory_facts(found, 14.0, 50.0, 300.0),
        "ceilings": {"product": CEILINGS.product, "convolution": CEILINGS.convolution, "copy": CEILINGS.copy},
        "stages": stage_facts(found, WORK, CEILINGS, "bf16"),
    }  # fmt: skip


def slower(old: dict[str, Any], stage: str, factor: float) -> dict[str, Any]:
    """The same report with one stage's time multiplied."""
    new = copy.deepcopy(old)
    for row in new["stages"]:
        if row["name"] == stage:
            row["ms"] = {name: factor * value for name, value in row["ms"].items()}
    return new
