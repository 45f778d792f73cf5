"""Whole measurements of a tiny frame: what is in the report, not how long it took."""

from __future__ import annotations

import importlib.resources
import itertools
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from limpet.bench import benchmark, machine, measure, roofline
from limpet.bench.benchmark import FRAMES, STEPS, WARM_UP, measure_speed, run_benchmark
from limpet.bench.config import BenchConfig
from limpet.bench.report import BenchReport, StageFacts, write_report
from limpet.bench.target import BenchTarget
from limpet.core.errors import ModelError

SMALL: dict[str, Any] = {"size": (64, 96), "threads": 1, "frames": 3, "warm_up": 1, "precision": "fp32"}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for other programs, and little work for the roofline."""
    monkeypatch.setattr(machine.time, "sleep", lambda _: None)
    monkeypatch.setattr(roofline, "SIDE", 16)
    monkeypatch.setattr(roofline, "CELLS", 4)
    monkeypatch.setattr(roofline, "COPY_BYTES", 1 << 12)


def checked(report: BenchReport, folder: Path) -> dict[str, StageFacts]:
    """The stages by name, of a report that is as the schema says."""
    write_report(report, folder / "report.json")
    schema = json.loads((importlib.resources.files("limpet.bench") / "schema.json").read_text())
    jsonschema.validate(json.loads((folder / "report.json").read_text()), schema)
    return {row.name: row for row in report.stages}


def test_steps_alone(tmp_path: Path) -> None:
    done: list[int] = []
    report = run_benchmark(BenchConfig(**SMALL), at_first_mb=10.0, on_frame=done.append)
    stages = checked(report, tmp_path)
    assert done == [1, 2, 3, 4]
    assert list(stages) == [
        "prepare", "encoder", "long-term", "short-term", "self", "projections", "decoder", "labels",
        "confidences", "id bank", "remember", "rest", "all",
    ]  # fmt: skip
    assert report.run.network_size == (65, 97) and report.run.precision == "fp32"
    assert len(report.run.weights) == 64, "those that ship"
    assert report.time.whole_seconds is None
    assert stages["all"].gflop == pytest.approx(
        sum(row.gflop or 0.0 for name, row in stages.items() if name != "all")
    )
    assert stages["encoder"].share_of_compute is not None
    memory = report.memory
    assert memory.peak_mb == memory.above_start_mb + 10 > memory.above_libraries_mb + 10 > 10
    assert memory.weights_mb > 10 and (memory.state_mb or 0) > 0


def test_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "work"))
    report = run_benchmark(BenchConfig(**SMALL, end_to_end=True))
    assert {"decode video", "encoder", "write masks"} <= set(checked(report, tmp_path))
    assert report.run.clip == "the demo clip, resized"
    assert (report.time.whole_seconds or 0) > report.time.start_seconds > 0
    assert list((tmp_path / "work").iterdir()) == [], "nothing is left behind"


def test_a_model_that_does_not_ship_is_measured_with_random_weights(tmp_path: Path) -> None:
    report = run_benchmark(BenchConfig("aot-t", **SMALL))
    assert report.run.weights == "random" and report.run.model == "aot-t"
    assert "feed-forward" in checked(report, tmp_path)


def test_more_objects_than_fit_are_refused() -> None:
    with pytest.raises(ModelError, match=r"200 objects do not fit into frames of 64x96 side by side"):
        run_benchmark(BenchConfig(**SMALL, objects=200))


def test_the_roofline_needs_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "_peaks", lambda _: None)
    report = run_benchmark(BenchConfig(**SMALL))
    assert report.roofline is None
    assert checked(report, tmp_path)["encoder"].share_of_compute is None


class StillTracker:
    """A tracker that does nothing."""

    def start(self, frame: np.ndarray, mask: np.ndarray) -> None:
        return None

    def step(self, frame: np.ndarray, state: None) -> tuple[None, None]:
        return None, None


def still_target() -> BenchTarget:
    tracker: Any = StillTracker()
    return BenchTarget(
        tracker, "none", "random", 0.0, "cpu",
        wait=lambda: None, timed=lambda _: nullcontext(tracker), step_stage="rest", count=lambda *_: None,
    )  # fmt: skip


def test_a_speed_is_the_median_of_the_steps_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [100.0] * WARM_UP + [5.0, 1.0, 3.0, 2.0, 4.0]
    assert len(seconds) == WARM_UP + FRAMES
    # a frame is read four times: it begins, its step begins and ends, it ends; and once more when it is taken
    steps = ((0.0, 0.0, second, 0.0, 0.0) for second in seconds)
    clock = itertools.accumulate(itertools.chain([0.0], itertools.chain.from_iterable(steps)))
    monkeypatch.setattr(measure, "seconds", lambda _: np.full(3, next(clock)))
    monkeypatch.setattr(benchmark, "make_target", lambda _: still_target())
    done: list[int] = []
    assert measure_speed("deaot-t", "cpu", size=(48, 64), on_frame=done.append) == 3.0
    assert done == list(range(1, STEPS + 1))


def test_the_speed_of_a_real_model() -> None:
    assert measure_speed("deaot-t", "cpu", size=(48, 64)) > 0


def test_the_speed_of_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelError, match="there is no model called 'deaot'"):
        measure_speed("deaot", "cpu")
