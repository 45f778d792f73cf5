"""`limpet models`."""

from __future__ import annotations

from pathlib import Path

import pytest

from limpet.registry import entries

from .command import Limpet


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limpet.cli.speeds.cache_folder", lambda: tmp_path / "cache")


def cells(text: str) -> dict[str, list[str]]:
    """The table's lines by the model's name."""
    names = {entry.name for entry in entries()}
    return {
        line.split()[0]: line.split()
        for line in text.splitlines()
        if line.split()[:1] and line.split()[0] in names
    }


def test_every_model_has_a_line(limpet: Limpet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "deaot-b.safetensors").touch()
    monkeypatch.setattr("limpet.weights.store.BUNDLED", tmp_path)
    outcome = limpet("models")
    outcome.succeeded()
    lines = cells(outcome.out)
    assert list(lines) == [entry.name for entry in entries()]
    assert lines["deaot-t"] == ["deaot-t", "mobilenet-v2", "1", "first", "frame", "7.2", "M", "official", "?"]
    assert lines["r50-aot-l"] == ["r50-aot-l", "resnet-50", "3", "every", "5th", "14.9", "M", "official", "?"]
    assert lines["deaot-b"][-2] == "ships"
    assert "not measured yet: limpet models --measure" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_more_of_a_model(limpet: Limpet) -> None:
    outcome = limpet("models", "r50-deaot-l", "deaot-t")
    outcome.succeeded()
    first, second = outcome.out.split("deaot-t: tiny")
    for words in (
        "r50-deaot-l: large: ResNet-50, 3 layers, memory every 5 frames",
        "the first frame, the previous one, and every 5th",
        "19.8 million",
        "16k + 1 pixels",
        "none in the package",
        "R50_DeAOTL_PRE_YTB_DAV.pth",
        "https://github.com/yoxu515/aot-benchmark",
        "limpet weights convert R50_DeAOTL_PRE_YTB_DAV.pth --model r50-deaot-l",
        "--model r50-deaot-l --weights r50-deaot-l.safetensors",
        "limpet models --measure r50-deaot-l",
    ):
        assert words in first, words
    assert "bundled/deaot-t.safetensors" in second and "every" not in second


def test_speeds_are_measured_on_request_and_kept(limpet: Limpet, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measure(model: str, device: str, on_frame: object) -> float:
        asked.append((model, device))
        return 1.2345

    monkeypatch.setattr("limpet.bench.speed.measure_speed", measure)
    outcome = limpet("models", "--measure", "deaot-t", "aot-t", "--device", "cpu")
    outcome.succeeded()
    assert asked == [("deaot-t", "cpu"), ("aot-t", "cpu")]
    assert {name: line[-1] for name, line in cells(outcome.out).items()} == {
        "deaot-t": "1,234",
        "aot-t": "1,234",
    }
    later = limpet("models", "--device", "cpu")
    assert len(asked) == 2, "what was measured is not measured again"
    assert {name for name, line in cells(later.out).items() if line[-1] != "?"} == {"deaot-t", "aot-t"}
    assert "ms: a frame of 480x854, 3 objects, measured 20" in later.out
    assert "1,234 ms a frame, measured 20" in limpet("models", "aot-t", "--device", "cpu").out


def test_names_that_do_not_exist(limpet: Limpet) -> None:
    limpet("models", "deaot-x").refused("there is no model called 'deaot-x'; did you mean")
    limpet("models", "--device", "tpu").refused("there is no device 'tpu'")
