"""The log and the curves of a run."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from limpet.core.errors import MissingExtraError
from limpet.training.monitor import Monitor, draw_curves, progress_bar


def steps_in(folder: Path) -> list[float]:
    return [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]


def test_lines_of_steps_that_come_again_are_forgotten(tmp_path: Path) -> None:
    first = Monitor(tmp_path, 0)
    for step in range(5):
        first.record(step, {"loss": 1.0})
    first.close()
    second = Monitor(tmp_path, 3)
    assert steps_in(tmp_path) == [0, 1, 2]
    second.record(3, {"loss": 0.5})
    second.close()
    assert steps_in(tmp_path) == [0, 1, 2, 3]
    Monitor(tmp_path, 0).close()
    assert steps_in(tmp_path) == [], "a run from the start begins a new log"


def test_curves_are_drawn_of_every_number(tmp_path: Path) -> None:
    rows = [{"step": step, "loss": 1 / (step + 1)} for step in range(20)] + [{"step": 19, "score": 70.0}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    draw_curves(tmp_path / "log.jsonl", tmp_path / "two.png")
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:20]))
    draw_curves(tmp_path / "log.jsonl", tmp_path / "one.png")
    with Image.open(tmp_path / "two.png") as two, Image.open(tmp_path / "one.png") as one:
        assert two.width == 2 * one.width and two.height == one.height


def test_what_is_drawn_is_not_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []
    monkeypatch.setattr("limpet.training.monitor.draw_curves", lambda log, picture: calls.append(picture))
    monitor = Monitor(tmp_path, 0)
    monitor.record(0, {"loss": 1.0})
    monitor.draw()
    monitor.draw()
    assert calls == [tmp_path / "curves.png"]
    monitor.record(1, {"loss": 0.5})
    monitor.close()
    assert len(calls) == 2


def test_without_numbers_there_is_no_picture(tmp_path: Path) -> None:
    draw_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
    (tmp_path / "log.jsonl").write_text("")
    draw_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


@pytest.mark.parametrize("missing", ["matplotlib", "tensorboard"])
def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if missing in name:
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(
        MissingExtraError, match=rf"needs the package '{missing}'.*pip install 'limpet\[train\]'"
    ):
        if missing == "matplotlib":
            draw_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
        else:
            Monitor(tmp_path, 0)


def test_the_bar_tells_the_step_and_the_loss(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(10, 4, quiet=False) as show:
        show(5, "loss 0.250")
    shown = capsys.readouterr().err
    assert "loss 0.250" in shown and "5/10" in shown
    with progress_bar(10, 0, quiet=True) as show:
        show(1, "loss 0.250")
    assert capsys.readouterr().err.strip() == ""
