"""The report of a measurement: its figures from what was recorded, written to JSON and read back.

limpet/bench/schema.json names and explains all fields of the file. MB are 10^6 bytes, GFLOP 10^9 operations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.bench.machine import ENOUGH_TO_MATTER, MachineFacts
from limpet.bench.measure import Recording
from limpet.bench.roofline import RooflinePeaks
from limpet.bench.stages import ORDER
from limpet.bench.target import Work
from limpet.core.errors import DataError
from limpet.core.files import atomic_path
from limpet.core.json_text import read_json
from limpet.core.saved_records import record_from

FORMAT = "limpet-bench-2"
_RENAMED = {
    "limpet-bench-1": {"ceilings": "roofline", "cores_of_others": "cores_used_by_others", "footage": "clip"}
}
"""By earlier format, the fields that had another name."""


@dataclass(frozen=True)
class Quartiles:
    """The median of several figures, and the two quartiles around it."""

    quartile_1: float
    median: float
    quartile_3: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quartiles:
        """Those of at least one figure."""
        return cls(*np.percentile(values, (25, 50, 75)).tolist())


@dataclass(frozen=True)
class RunFacts:
    """What was measured, see ``BenchConfig``. what: "steps" or "end to end". clip: what the frames show, in words.

    Sizes are (height, width) in pixels. engine: with its version. bundle: name of the exported tracker's folder.
    memory: name of the memory policy.
    """

    what: str
    model: str
    weights: str
    engine: str
    bundle: str | None
    precision: str
    device: str
    threads: int
    frame_size: tuple[int, int]
    network_size: tuple[int, int]
    objects: int
    memory: str | None
    frames: int
    warm_up: int
    overlay: bool
    clip: str

    @property
    def engine_name(self) -> str:
        """The engine without its version."""
        return self.engine.split()[0]


@dataclass(frozen=True)
class TimeFacts:
    """The time of whole frames: milliseconds by the clock and of CPU, frames per second, and see ``Recording``."""

    ms: Quartiles
    frames_per_second: float
    cpu_ms: float
    cpu_ms_main_thread: float
    start_seconds: float
    whole_seconds: float | None
    cores_used_by_others: float | None

    @classmethod
    def of(cls, recording: Recording) -> TimeFacts:
        """From the frames that were recorded."""
        whole = 1e3 * recording.whole()
        ms, others = Quartiles.of(whole[:, 0].tolist()), recording.cores_used_by_others
        return cls(
            ms,
            1e3 / ms.median,
            float(np.median(whole[:, 1])),
            float(np.median(whole[:, 2])),
            recording.start_seconds,
            recording.whole_seconds,
            None if others is None else round(others, 2),
        )


@dataclass(frozen=True)
class MemoryFacts:
    """The peak in MB, what of it is above the bare program and above the imported libraries; state and weights."""

    peak_mb: float
    above_start_mb: float
    above_libraries_mb: float
    state_mb: float | None
    weights_mb: float

    @classmethod
    def of(
        cls, recording: Recording, weights_mb: float, at_first_mb: float, libraries_mb: float
    ) -> MemoryFacts:
        """From the peak that was recorded, and the memory in use before and after the libraries were imported."""
        peak = recording.peak_mb
        return cls(peak, peak - at_first_mb, peak - libraries_mb, recording.state_mb, weights_mb)


@dataclass(frozen=True)
class StageFacts:
    """One stage, or "all" of a frame. What is not known is None.

    share_of_compute: of the roofline's peak for products and convolutions. share_of_copy: of its peak for copies.
    """

    name: str
    ms: Quartiles
    cpu_ms: float
    gflop: float | None
    gflop_per_second: float | None
    share_of_compute: float | None
    moved_mb: float | None
    gb_per_second: float | None
    share_of_copy: float | None


@dataclass(frozen=True)
class BenchReport:
    """One measurement. date: ISO 8601, UTC. stages: the last is "all" of a frame."""

    date: str
    machine: MachineFacts
    run: RunFacts
    time: TimeFacts
    memory: MemoryFacts
    roofline: RooflinePeaks | None
    stages: tuple[StageFacts, ...]

    @property
    def whole(self) -> StageFacts:
        """All stages of a frame together."""
        return self.stages[-1]

    @property
    def is_disturbed(self) -> bool:
        """Whether other programs took so much of the machine, before or meanwhile, that the times are wrong."""
        found = [facts.cores_used_by_others or 0.0 for facts in (self.machine, self.time)]
        return max(found) > ENOUGH_TO_MATTER


def stage_facts(
    recording: Recording, work: Work | None, peaks: RooflinePeaks | None, precision: str
) -> tuple[StageFacts, ...]:
    """One row per stage and a last one, "all", for whole frames."""
    per_stage = {} if work is None else dict(work.stages)
    recorded = {name for stages in recording.frames for name in stages}
    rows = []
    for name in sorted({*recorded, *per_stage}, key=ORDER.index):
        spent = np.array([stages.get(name, np.zeros(3)) for stages in recording.frames])
        rows.append(_row(name, spent, work, per_stage.get(name, (0.0, 0.0)), peaks, precision))
    total = tuple(np.sum([*per_stage.values(), (0.0, 0.0)], axis=0).tolist())
    return (*rows, _row("all", recording.whole(), work, total, peaks, precision))


def _row(
    name: str,
    spent: NDArray[np.float64],
    work: Work | None,
    counted: tuple[float, ...],
    peaks: RooflinePeaks | None,
    precision: str,
) -> StageFacts:
    ms = Quartiles.of((1e3 * spent[:, 0]).tolist())
    gflop = None if work is None else counted[0] / 1e9
    moved = None if work is None or not work.moved_is_known else counted[1] / 1e6
    compute = None if gflop is None else _ratio(gflop, ms.median / 1e3)
    traffic = None if moved is None else _ratio(moved / 1e3, ms.median / 1e3)
    return StageFacts(
        name,
        ms,
        cpu_ms=float(1e3 * np.median(spent[:, 1])),
        gflop=gflop,
        gflop_per_second=compute,
        share_of_compute=_ratio(compute, None if peaks is None else peaks.compute(precision)),
        moved_mb=moved,
        gb_per_second=traffic,
        share_of_copy=_ratio(traffic, None if peaks is None else peaks.copy),
    )


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def write_report(report: BenchReport, path: Path) -> None:
    """Write a report as JSON. Raises OutputError."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"format": FORMAT, **asdict(report)}, indent=2) + "\n")


def read_report(path: Path) -> BenchReport:
    """Read what ``write_report`` wrote, in this version or an earlier one.

    Raises:
        DataError: the file is missing, damaged, or not a report.
    """
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); expected what limpet bench --json wrote"
        ) from error
    found = content.pop("format", None) if isinstance(content, dict) else None
    if not isinstance(found, str) or (found != FORMAT and found not in _RENAMED):
        raise DataError(
            f"{path} is not a report of limpet bench ({FORMAT}), its format is {found!r}; measure again"
        )
    try:
        return record_from(BenchReport, _with_todays_names(content, _RENAMED.get(found, {})))
    except ValueError as error:
        raise DataError(f"{path} is not a whole report of limpet bench ({error}); measure again") from error


def _with_todays_names(value: Any, renamed: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {renamed.get(key, key): _with_todays_names(inner, renamed) for key, inner in value.items()}
    return value
