"""A training by the clock, on a CPU with tiny clips: what it leaves, when it ends, and what stops it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import train_briefly
from brief_training import benchmarks
from brief_training.clock import Clock
from pack_training_data import pack
from take_training_result import main as take_result
from take_training_result import read_result
from train_briefly import STAGE, main, settings

from limpet.core.errors import DataError
from limpet.training.checkpoint import CHECKPOINT, load_checkpoint
from limpet.training.loop import Run
from limpet.weights.weights_file import read_weights
from limpet.weights.zoo import bundled_weights

from .small_data import make_data

TINY = ["--device", "cpu", "--minutes", "2"]
for change in ("model=deaot-nano", "size=33", "batch=2", "frames=2", "workers=0", "min_pixels=4", "log_every=1",
               "precision=32-true", "max_frame_gap=[1,2]"):  # fmt: skip
    TINY += ["--set", change]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("brief")
    made = make_data(root / "data")
    pack(root / "pack", made / "stills", [f"{made / 'davis'}:2017/fit"])
    return root / "pack"


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Signals are handled by the tests as before."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def arguments(data: Path, folder: Path, *more: str) -> list[str]:
    return ["--data", str(data), "--work", str(folder / "work"), "--out", str(folder / "out"), *TINY, *more]


def log_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "work" / "run" / "log.jsonl").read_text().splitlines()]


def test_a_result_comes_home_and_a_run_goes_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(arguments(data, tmp_path, "--steps", "6"))
    rows = log_of(tmp_path)
    rates = [row["learning rate"] for row in rows]
    assert len(rows) == 6 and rates[0] == max(rates) and rates[-1] < 0.4 * rates[0], (
        "the schedule has six steps"
    )
    page = tmp_path / "runs.md"
    page.write_text("# Runs\n\n| date | run |\n|---|---|\n| 2026-11-21 | 1 |\n\nMore.\n")
    home = tmp_path / "home"
    take_result([str(tmp_path / "out"), "--out", str(home), "--runs", str(page), "--name", "student 12"])
    assert "2026-11-21 | 1 |\n| 20" in page.read_text() and page.read_text().endswith(" | 6 | - |\n\nMore.\n")
    facts = json.loads((home / "facts.json").read_text())
    assert facts["ended"] == "steps" and facts["steps"] == 6 and facts["settings"]["model"] == "deaot-nano"
    assert {path.name for path in home.iterdir()} == {
        "weights.safetensors",
        "log.jsonl",
        "curves.png",
        "facts.json",
    }
    trained, start = read_weights(home / "weights.safetensors"), bundled_weights("deaot-nano")
    assert start is not None and trained.model == "deaot-nano"
    before = read_weights(start).tensors
    assert any(not torch.equal(tensor, before[name]) for name, tensor in trained.tensors.items())
    with pytest.raises(DataError, match="holds a run already; continue it with --resume"):
        main(arguments(data, tmp_path))
    main(arguments(data, tmp_path, "--steps", "2", "--resume"))
    assert load_checkpoint(tmp_path / "work" / "run" / CHECKPOINT).step == 8
    assert read_result(tmp_path / "out")[1]["steps"] == 8


def test_a_signal_ends_it_with_what_it_has_and_little_memory_makes_the_batch_smaller(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, batches = Run.step, []

    def step(self: Run, number: int, batch: Any) -> dict[str, float]:
        batches.append(len(batch.object_counts))
        if len(batches) == 2:
            raise torch.OutOfMemoryError("full")
        if number == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, number, batch)

    monkeypatch.setattr(Run, "step", step)
    main(arguments(data, tmp_path, "--save-seconds", "0"))
    assert batches == [2, 2, 1, 1]
    files, facts = read_result(tmp_path / "out")
    assert facts["ended"] == "SIGTERM" and facts["steps"] == 3 and "weights.safetensors" in files
    assert load_checkpoint(tmp_path / "work" / "run" / CHECKPOINT).step == 3
    assert len(list((tmp_path / "out").iterdir())) == 2, "of earlier results nothing is left"


def test_an_error_loses_nothing_and_a_compiled_model_that_fails_is_given_up(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []

    def broken(function: Any) -> Any:
        saved.append(read_result(tmp_path / "out")[1]["steps"])

        def call(*_: Any) -> Any:
            raise NotImplementedError("no compiler")

        return call

    original = Run.step

    def step(self: Run, number: int, batch: Any) -> dict[str, float]:
        if number == 3:
            raise ValueError("torn")
        return original(self, number, batch)

    monkeypatch.setattr(torch, "compile", broken)
    monkeypatch.setattr(train_briefly, "UNCOMPILED_STEPS", 2)
    monkeypatch.setattr(train_briefly, "UNSETTLED_STEPS", 1)
    monkeypatch.setattr(Run, "step", step)
    with pytest.raises(ValueError, match="torn"):
        main(arguments(data, tmp_path, "--compile", "on"))
    facts = read_result(tmp_path / "out")[1]
    assert facts["steps"] == 3 and facts["ended"] == "unfinished" and facts["compiled"] is False
    assert set(saved) == {2}, "there is a result before the model is compiled"


def test_the_plan_follows_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = Clock(ends=100.0, first=0, most=10**6, guess=2.0)
    assert clock.steps == 50
    done = 0
    while not clock.is_over(done):
        slow = done == 3  # as the first step of a compiled model is
        seconds = 20.0 if slow else 0.5 if done < 40 else 0.4
        now += seconds
        done += 1
        clock.took(done, seconds)
        if done == 30:
            assert clock.steps == 30 + round((100 - now) / 0.5)
    assert now <= 100 and clock.progress(done - 1) > 0.98 and clock.steps - done <= 1
    assert Clock(ends=now + 10, first=5, most=9, guess=0.1).steps == 9


def test_settings_are_those_of_limpet_train() -> None:
    config = settings(["size=321", "crowd_prob=[0.1,0.2]", "precision=32-true"])
    assert (config.clips.size, config.clips.crowd_prob, config.precision) == (321, (0.1, 0.2), "32-true")
    assert config.clips.batch == STAGE["batch"] == 16 and config.long_term_gap == 1
    with pytest.raises(DataError, match=r"'sizes=3' is not a setting of limpet train; expected NAME=VALUE"):
        settings(["sizes=3"])


def test_benchmarks_stop_with_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = {name: [sys.executable, "-c", f"print('{name}')"] for name in ("first", "second")}
    monkeypatch.setattr(benchmarks, "BENCHMARKS", commands)
    found = benchmarks.run_benchmarks("cpu", time.monotonic() + 60, lambda: "")
    assert found == {"benchmarks/first.txt": b"first\n", "benchmarks/second.txt": b"second\n"}
    assert benchmarks.run_benchmarks("cpu", time.monotonic() + 60, lambda: "SIGTERM") == {}
    assert benchmarks.run_benchmarks("cpu", time.monotonic() + 1, lambda: "") == {}
    main(["--work", str(tmp_path), "--out", str(tmp_path / "out"), "--minutes", "1"])
    assert (
        tmp_path / "out" / "benchmarks.txt"
    ).read_text() == "# benchmarks/first.txt\nfirst\n# benchmarks/second.txt\nsecond\n"


def test_data_without_any_part_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "manifest.json").write_bytes((data / "manifest.json").read_bytes())
    with pytest.raises(DataError, match=r"no part of the data is in .*; copy part-1.zip there"):
        main(arguments(tmp_path / "pack", tmp_path))
