"""`limpet models`."""

from __future__ import annotations

from pathlib import Path

import pytest

from limpet.registry import entries

from .command import Limpet


def test_every_model_has_a_line(limpet: Limpet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "deaot-b.safetensors").touch()
    monkeypatch.setattr("limpet.weights.store.BUNDLED", tmp_path)
    outcome = limpet("models")
    outcome.succeeded()
    lines = {line.split()[0]: line for line in outcome.out.splitlines()[2:] if line}
    for entry in entries():
        assert entry.summary in lines[entry.name], "names and summaries are whole in 80 columns"
        assert lines[entry.name].split()[-1] == ("yes" if entry.name == "deaot-b" else "-")
    assert "  7.2 M" in lines["deaot-t"]
    assert max(map(len, outcome.out.splitlines())) <= 80
