"""`limpet demo` with a tracker that knows the answer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import limpet as package
from limpet.demo.demo_clip import demo_masks

from .clips import frames_in, masks_of
from .command import Limpet


class Knows:
    """Answers with the exact masks, but for the cup (3), which it never finds again."""

    name, weights_sha256, calibration = "knows", "ab12", None

    def __init__(self) -> None:
        self.masks = demo_masks().copy()
        self.masks[1:][self.masks[1:] == 3] = 0

    def start(self, frame: np.ndarray, mask: np.ndarray) -> SimpleNamespace:
        return SimpleNamespace(index=0)

    def step(self, frame: np.ndarray, state: SimpleNamespace) -> tuple[np.ndarray, SimpleNamespace]:
        after = SimpleNamespace(index=state.index + 1, confidence={1: 0.9, 2: 0.8, 3: 0.0})
        return self.masks[after.index], after


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def load(name: str, **options: Any) -> Knows:
        calls.append({"name": name} | options)
        return Knows()

    monkeypatch.setattr(package, "load", load, raising=False)
    return calls


def test_scores_and_where_to_look(limpet: Limpet, loaded: list[dict[str, Any]], tmp_path: Path) -> None:
    outcome = limpet("demo", "--weights", "w.safetensors", "--device", "cpu")
    outcome.succeeded()
    assert loaded == [{"name": None, "weights": Path("w.safetensors"), "device": "cpu"}]
    rows = {line.split()[0]: line.split()[1:] for line in outcome.out.splitlines() if len(line.split()) == 4}
    assert rows["astronaut"] == rows["cat"] == ["100.0"] * 3
    assert rows["cup"][0] < "9" and rows["all"][0] < "90"
    assert outcome.out.endswith("look at demo-result/overlay.mp4 and demo-result/report.html\n")
    assert "frames/s in the tracker" in outcome.out and outcome.err == ""
    assert len(masks_of(tmp_path / "demo-result")) == frames_in(tmp_path / "demo-result/overlay.mp4") == 88


def test_an_existing_folder_is_kept(limpet: Limpet, loaded: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    limpet("demo", "--out", "mine").refused("mine exists and is not empty")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_weights_that_are_missing(limpet: Limpet, tmp_path: Path) -> None:
    limpet("demo", "--weights", "gone.safetensors").refused("there is no weights file at gone.safetensors")
    assert not (tmp_path / "demo-result").exists()
