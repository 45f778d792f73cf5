"""From what was recorded to a report's figures, as plain data; limpet/bench/schema.json names and explains them all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.bench.machine import ENOUGH_TO_MATTER
from limpet.bench.measure import Recorded
from limpet.bench.roofline import RooflinePeaks
from limpet.bench.stages import ORDER
from limpet.bench.target import Work
from limpet.core.errors import DataError
from limpet.core.files import atomic_path

FORMAT = "limpet-bench-1"
PLAIN_OBJECTS = 3
Report = dict[str, Any]


def time_facts(recorded: Recorded) -> Report:
    """Of whole frames: milliseconds by the clock and of CPU, and how many a second."""
    whole = 1e3 * recorded.whole()
    spread = spread_of(whole[:, 0].tolist())
    return {
        "ms": spread,
        "frames_per_second": 1e3 / spread["median"],
        "cpu_ms": float(np.median(whole[:, 1])),
        "cpu_ms_main_thread": float(np.median(whole[:, 2])),
        "start_seconds": recorded.start_seconds,
        "whole_seconds": recorded.whole_seconds,
        "cores_of_others": None if recorded.others is None else round(recorded.others, 2),
    }


def memory_facts(recorded: Recorded, weights_mb: float, at_first_mb: float, libraries_mb: float) -> Report:
    """The peak, and what of it lies above the interpreter and above the libraries that were imported."""
    return {
        "peak_mb": recorded.peak_mb,
        "above_start_mb": recorded.peak_mb - at_first_mb,
        "above_libraries_mb": recorded.peak_mb - libraries_mb,
        "state_mb": recorded.state_mb,
        "weights_mb": weights_mb,
    }


def stage_facts(
    recorded: Recorded, work: Work | None, ceilings: RooflinePeaks | None, precision: str
) -> list[Report]:
    """One row a stage and a last one, "all", for whole frames."""
    per_stage = {} if work is None else dict(work.stages)
    timed = {name for stages in recorded.frames for name in stages}
    rows = []
    for name in sorted({*timed, *per_stage}, key=ORDER.index):
        spent = np.array([stages.get(name, np.zeros(3)) for stages in recorded.frames])
        rows.append(_row(name, spent, work, per_stage.get(name, (0.0, 0.0)), ceilings, precision))
    total = tuple(np.sum([*per_stage.values(), (0.0, 0.0)], axis=0).tolist())
    return [*rows, _row("all", recorded.whole(), work, total, ceilings, precision)]


def _row(
    name: str,
    spent: NDArray[np.float64],
    work: Work | None,
    counted: tuple[float, ...],
    ceilings: RooflinePeaks | None,
    precision: str,
) -> Report:
    spread = spread_of((1e3 * spent[:, 0]).tolist())
    seconds = spread["median"] / 1e3
    gflop = None if work is None else counted[0] / 1e9
    moved = None if work is None or not work.moved_is_known else counted[1] / 1e6
    compute = None if gflop is None else _ratio(gflop, seconds)
    traffic = None if moved is None else _ratio(moved / 1e3, seconds)
    return {
        "name": name,
        "ms": spread,
        "cpu_ms": float(1e3 * np.median(spent[:, 1])),
        "gflop": gflop,
        "gflop_per_second": compute,
        "share_of_compute": _ratio(compute, None if ceilings is None else ceilings.compute(precision)),
        "moved_mb": moved,
        "gb_per_second": traffic,
        "share_of_copy": _ratio(traffic, None if ceilings is None else ceilings.copy),
    }


def spread_of(values: Sequence[float]) -> dict[str, float]:
    """Median and quartiles."""
    quarter, median, three_quarters = np.percentile(values, (25, 50, 75)).tolist()
    return {"quartile_1": quarter, "median": median, "quartile_3": three_quarters}


def write_report(report: Report, path: Path) -> None:
    """Write a report as JSON. Raises OutputError."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n")


def read_report(path: Path) -> Report:
    """Read what ``write_report`` wrote.

    Raises:
        DataError: the file is missing, damaged, or no report of this version.
    """
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); expected what limpet bench --json wrote"
        ) from error
    found = report.get("format") if isinstance(report, dict) else None
    if found != FORMAT:
        raise DataError(
            f"{path} is no report of limpet bench ({FORMAT}), its format is {found!r}; measure again"
        )
    if any(key not in report for key in ("machine", "run", "time", "memory", "stages")):
        raise DataError(f"{path} is not a whole report of limpet bench; measure again")
    return dict(report)


def is_disturbed(report: Report) -> bool:
    """Whether other programs took enough of the machine, before or meanwhile, for the times to be wrong."""
    found = [report[part]["cores_of_others"] or 0.0 for part in ("machine", "time")]
    return max(found) > ENOUGH_TO_MATTER


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def engine_name(run: dict[str, Any]) -> str:
    """Of a report's ``run``, the engine without its version."""
    return str(run["engine"].split()[0])


def is_plain(run: dict[str, Any]) -> bool:
    """Whether it is one of those whose stages and picture the page shows: three objects, the larger size."""
    return bool(run["objects"] == PLAIN_OBJECTS and run["network_size"][0] > 400)
