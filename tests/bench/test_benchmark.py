"""Whole measurements of a tiny frame: what is in the report, not how long it took."""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from limpet.bench import benchmark as run
from limpet.bench import machine as others
from limpet.bench import roofline as ceilings
from limpet.bench.benchmark import bench
from limpet.bench.config import BenchConfig
from limpet.core.errors import ModelError

SMALL: dict[str, Any] = {"size": (64, 96), "threads": 1, "frames": 3, "warm_up": 1, "precision": "fp32"}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for other programs, and little work for the limits."""
    monkeypatch.setattr(others.time, "sleep", lambda _: None)
    monkeypatch.setattr(ceilings, "SIDE", 16)
    monkeypatch.setattr(ceilings, "CELLS", 4)
    monkeypatch.setattr(ceilings, "COPY_BYTES", 1 << 12)


def checked(report: dict[str, Any]) -> dict[str, Any]:
    """The report, as the schema says; its stages by name."""
    schema = json.loads((importlib.resources.files("limpet.bench") / "schema.json").read_text())
    jsonschema.validate(json.loads(json.dumps(report)), schema)
    return {row["name"]: row for row in report["stages"]}


def test_steps_alone() -> None:
    done: list[int] = []
    report = bench(BenchConfig(**SMALL), on_frame=done.append)
    stages = checked(report)
    assert done == [1, 2, 3, 4]
    assert list(stages) == [
        "prepare", "encoder", "long-term", "short-term", "self", "projections", "decoder", "labels",
        "confidences", "id bank", "remember", "rest", "all",
    ]  # fmt: skip
    assert report["run"]["network_size"] == [65, 97] and report["run"]["precision"] == "fp32"
    assert len(report["run"]["weights"]) == 64, "those that ship"
    assert report["time"]["whole_seconds"] is None
    assert stages["all"]["gflop"] == pytest.approx(
        sum(stages[name]["gflop"] for name in stages if name != "all")
    )
    assert stages["encoder"]["share_of_compute"] is not None
    memory = report["memory"]
    assert memory["peak_mb"] > memory["above_start_mb"] >= memory["above_libraries_mb"]
    assert memory["weights_mb"] > 10 and memory["state_mb"] > 0


def test_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    report = bench(BenchConfig(**SMALL, end_to_end=True))
    stages = checked(report)
    assert {"decode video", "encoder", "write masks"} <= set(stages)
    assert report["run"]["footage"] == "the demo clip, resized"
    assert report["time"]["whole_seconds"] > report["time"]["start_seconds"] > 0
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_a_model_that_does_not_ship_is_measured_with_random_weights() -> None:
    report = bench(BenchConfig("aot-t", **SMALL))
    assert report["run"]["weights"] == "random" and report["run"]["model"] == "aot-t"
    assert "feed-forward" in checked(report)


def test_more_objects_than_fit_are_refused() -> None:
    with pytest.raises(ModelError, match=r"200 objects do not fit into frames of 64x96 side by side"):
        bench(BenchConfig(**SMALL, objects=200))


def test_limits_need_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_ceilings", lambda _: None)
    report = bench(BenchConfig(**SMALL))
    assert report["ceilings"] is None
    assert checked(report)["encoder"]["share_of_compute"] is None
