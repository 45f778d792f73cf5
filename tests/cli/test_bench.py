"""``limpet bench`` as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from limpet.bench import machine, roofline
from limpet.cli.options import MODEL

from .command import Limpet

SMALL = ("--size", "64x96", "--threads", 1, "--frames", 2, "--warm-up", 0)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.time, "sleep", lambda _: None)
    monkeypatch.setattr(machine, "load_average", lambda: 0.0)
    monkeypatch.setattr(machine, "cores_used_by_others", lambda *_: 0.0)
    monkeypatch.setattr(roofline, "SIDE", 16)
    monkeypatch.setattr(roofline, "CELLS", 4)
    monkeypatch.setattr(roofline, "COPY_BYTES", 1 << 12)


def test_a_table_and_a_file_and_what_changed(
    limpet: Limpet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    outcome = limpet("bench", *SMALL, "--json", "one.json")
    outcome.succeeded()
    for words in (
        f"{MODEL}, ",
        "frames 64x96 (network input 65x97), steps alone",
        "peak rates of this machine",
        "encoder",
    ):
        assert words in outcome.out
    table = outcome.out.partition("stage ")[2]
    assert max(map(len, table.splitlines())) <= 80
    report = json.loads((tmp_path / "one.json").read_text())
    for row in report["stages"]:
        row["ms"] = dict.fromkeys(row["ms"], 1e-6)
    (tmp_path / "fast.json").write_text(json.dumps(report))
    outcome = limpet("bench", *SMALL, "--compare", "fast.json")
    outcome.succeeded()
    assert "SLOWER" in outcome.out and "worse: " in outcome.out and "all, ms" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--threads", 0), "--threads is 0; expected 1 or more"),
        (("--size", "480"), "--size '480' is not understood; expected HEIGHTxWIDTH"),
        (("--engine", "magic"), "there is no engine 'magic'"),
        (("--engine", "onnx"), "name its folder with --bundle"),
        (("--bundle", "none"), "it has no manifest.json"),
        (("--device", "cuda"), "torch finds no GPU here"),
        (("deaot",), "there is no model called 'deaot'"),
        (("--weights", "none.safetensors"), "none.safetensors"),
        (("--compare", "none.json"), "none.json cannot be read"),
        (("--json", "none/now.json"), "cannot write none/now.json: the folder does not exist"),
        (("--engine", "torch-compiled"), "torch-compiled needs a C++ compiler"),
    ],
)
def test_bad_input_is_one_sentence(
    limpet: Limpet, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], words: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv("CXX", "no-such-compiler")
    limpet("bench", *arguments).refused(words)


def test_weights_say_which_model(limpet: Limpet, weights: Path) -> None:
    limpet("bench", "deaot-l", "--weights", weights).refused(f"is of {weights.stem}, not of deaot-l")
    outcome = limpet("bench", "--weights", weights, *SMALL)
    outcome.succeeded()
    assert outcome.out.startswith(f"{weights.stem}, ")


def test_a_busy_machine_is_told(limpet: Limpet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores_used_by_others", lambda *_: 1.5)
    outcome = limpet("bench", *SMALL)
    outcome.succeeded()
    assert "note: other programs are computing (they used 1.5 cores): trust CPU time" in outcome.err
