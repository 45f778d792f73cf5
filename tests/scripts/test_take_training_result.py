"""A result in pieces: whole again, or refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import take_training_result
from take_training_result import read_result, row, take, with_row, write_result

from limpet.core.errors import DataError, OutputError

FACTS = {
    "date": "2026-11-27", "model": "deaot-t", "commit": None, "hardware": "a GPU", "training_minutes": 7.4,
    "steps": 1234, "ended": "SIGTERM", "command": "python train_briefly.py",
}  # fmt: skip


def test_pieces_are_joined_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take_training_result, "PIECE", 100)
    files = {"weights.safetensors": bytes(range(250)), "benchmarks/default.txt": b"fast"}
    write_result(tmp_path, {"weights.safetensors": b"earlier"}, {})
    write_result(tmp_path, files, FACTS)
    pieces = sorted(tmp_path.glob("*.piece"))
    assert len(pieces) >= 4 and all(path.stat().st_size <= 100 for path in pieces)
    assert {path.name.split("-")[1] for path in pieces} == {"2"}, "the earlier result is gone"
    assert read_result(tmp_path) == (files, FACTS)
    take(tmp_path, tmp_path / "home")
    assert (tmp_path / "home" / "benchmarks" / "default.txt").read_bytes() == b"fast"
    with pytest.raises(OutputError, match="exists already"):
        take(tmp_path, tmp_path / "home")
    pieces[1].write_bytes(b"torn")
    with pytest.raises(DataError, match=r"result-2-2.piece is damaged \(4 of 100 bytes\); copy it again"):
        read_result(tmp_path)
    pieces[1].unlink()
    with pytest.raises(DataError, match=r"result-2-2.piece is missing; copy all of \d pieces"):
        read_result(tmp_path)
    with pytest.raises(DataError, match=r"there is no result.json in .*home"):
        read_result(tmp_path / "home")


def test_nothing_is_written_outside_of_the_folder(tmp_path: Path) -> None:
    write_result(tmp_path / "result", {"../away": b""}, FACTS)
    with pytest.raises(DataError, match="outside of"):
        take(tmp_path / "result", tmp_path / "home")


def test_the_row_says_how_it_ended() -> None:
    assert row(FACTS, "brief") == "| 2026-11-27 | brief, `deaot-t` | - | a GPU | 7 min | 1,234, SIGTERM | - |"
    with pytest.raises(DataError, match="no table whose rows begin with a date"):
        with_row("# Runs\n", "| row |")
