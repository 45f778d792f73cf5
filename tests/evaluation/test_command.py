"""`limpet eval`, with a tracker that repeats the first mask in place of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import limpet
from limpet.cli.evaluate import app
from limpet.cli.options import ENLARGE
from limpet.core.errors import DataError, OutputError

from .tiny import RepeatsFirstMask, make_sequence, make_split, moving_box


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_sequence(tmp_path / "davis", "box", moving_box(6))
    make_split(tmp_path / "davis", "val", ["box"])
    return tmp_path / "davis"


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Calls of `limpet.load`."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def load(name: str, **options: Any) -> RepeatsFirstMask:
        calls.append((name, options))
        return RepeatsFirstMask()

    monkeypatch.setattr(limpet, "load", load, raising=False)
    return calls


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["davis", *map(str, arguments)])


def test_runs_a_model_and_prints_the_table(root: Path, loaded: list[tuple[str, dict[str, Any]]]) -> None:
    result = run(root, "--split", "val")
    assert result.exit_code == 0, result.output
    assert "val: J&F" in result.output and "box" in result.output and "frames/s" in result.output
    plain = {"enlarge": ENLARGE, "objects_at_once": None, "flip": False, "scales": (1.0,), "flow": None}
    plain |= {"memory": None, "memory_budget_mb": None, "precision": "auto"}
    assert loaded == [(None, {"weights": None, "device": "auto", "max_size": 480, **plain})]


def test_options_reach_the_model(
    root: Path, loaded: list[tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    weights = tmp_path / "w.safetensors"
    out = tmp_path / "out"
    options = ["--model", "deaot-s", "--weights", weights, "--device", "cpu", "--max-size", 240, "--out", out]
    options += ["--enlarge", 1.2, "--objects-at-once", 3, "--flip", "--scales", "1.0,1.3"]
    options += ["--memory", "ring", "--memory-budget", 40, "--precision", "fp32"]
    result = run(root, "--split", "val", *options)
    assert result.exit_code == 0, result.output
    views = {"enlarge": 1.2, "objects_at_once": 3, "flip": True, "scales": (1.0, 1.3), "flow": None}
    views |= {"memory": "ring", "memory_budget_mb": 40, "precision": "fp32"}
    assert loaded == [("deaot-s", {"weights": weights, "device": "cpu", "max_size": 240, **views})]
    names = sorted(path.name for path in out.iterdir() if path.name != ".lock")
    assert names == [
        "evaluation.json", "masks", "per_object.csv", "per_sequence.csv", "scores.json", "videos", "worst", "worst.png"
    ]  # fmt: skip
    receipt = json.loads((out / "scores.json").read_text())["receipt"]
    assert (receipt["model"], receipt["weights"], receipt["device"]) == ("repeat", "ab12", "cpu")
    assert receipt["frames_per_second"] > 0 and receipt["dataset"] == "DAVIS, val, 480p"
    again = run(root, "--split", "val", "--predictions", out / "masks")
    assert again.exit_code == 0 and table(again) == table(result)


def table(result: Result) -> list[str]:
    return [line.strip() for line in result.output.splitlines() if line.strip().startswith(("box", "mean"))]


def test_existing_results_are_kept(
    root: Path, loaded: list[tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    result = run(root, "--split", "val", "--out", tmp_path)
    assert isinstance(result.exception, OutputError)
    assert "has files already; choose another folder or add overwrite=True" in str(result.exception)
    assert {path.name for path in tmp_path.iterdir()} == {"kept.txt", "davis"}
    assert run(root, "--split", "val", "--out", tmp_path, "--overwrite").exit_code == 0
    assert (tmp_path / "kept.txt").read_text() == "mine"


def test_mistakes_are_user_errors(
    root: Path, loaded: list[tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    result = run(root, "--split", "test")
    assert isinstance(result.exception, DataError) and "no split 'test'" in str(result.exception)
    result = run(root, "--split", "val", "--predictions", tmp_path / "gone")
    assert isinstance(result.exception, DataError) and "no folder of predictions" in str(result.exception)
    assert loaded == []
