"""Scores on the screen, in CSV and in JSON."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from limpet.core.errors import OutputError
from limpet.evaluation.score_tables import Receipt, results_table, write_csv, write_json
from limpet.evaluation.scores import Scores


def test_the_screen_shows_sequences_objects_and_the_mean(scores: Scores) -> None:
    console = Console(width=80, file=StringIO())
    with console.capture() as printed:
        console.print(results_table(scores, "val"))
    lines = [line.split() for line in printed.get().splitlines()]
    assert ["bus", "1", "4", "70.0", "75.0", "100.0", "20.0", "65.0", "75.0", "20.0"] in lines
    assert ["cows", "all", "2", "4", "25.0", "30.0", "0.0", "0.0", "20.0", "0.0", "0.0"] in lines
    assert ["200", "35.0", "40.0", "0.0", "0.0", "30.0", "0.0", "0.0"] in lines
    assert ["mean", "all", "5", "16", "54.0", "57.0", "40.0", "4.0", "51.0", "35.0", "4.0"] in lines


def test_of_many_sequences_the_screen_shows_the_worst(scores: Scores) -> None:
    console = Console(width=80, file=StringIO())
    with console.capture() as printed:
        console.print(results_table(scores, most=2))
    first = [line.split()[0] for line in printed.get().splitlines() if line.strip()]
    assert [word for word in first if word.isalpha()][-4:] == ["cows", "elk", "and", "mean"]
    assert "and 2 better ones" in printed.get()


def test_csv(scores: Scores, tmp_path: Path) -> None:
    sequences, objects = write_csv(scores, tmp_path)
    rows = list(csv.DictReader(sequences.open()))
    assert [row["sequence"] for row in rows] == ["bus", "cows", "duck", "elk", "mean"]
    assert (rows[1]["objects"], rows[1]["J mean"], rows[1]["J&F"]) == ("2", "30.0000", "25.0000")
    rows = list(csv.DictReader(objects.open()))
    assert [(row["sequence"], row["object"]) for row in rows[1:4]] == [
        ("cows", "1"),
        ("cows", "200"),
        ("duck", "255"),
    ]
    assert rows[-1]["sequence"] == "mean" and float(rows[-1]["J mean"]) == pytest.approx(57)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["per_object.csv", "per_sequence.csv"]


def test_json_holds_the_receipt_and_every_frame(scores: Scores, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_json(
        scores, path, Receipt("limpet eval davis x --split val", "val", "deaot-t", "ab12", "cpu", 10.0)
    )
    found = json.loads(path.read_text())
    receipt = found["receipt"]
    assert receipt["command"] == "limpet eval davis x --split val"
    assert (receipt["model"], receipt["weights"]) == ("deaot-t", "ab12")
    assert receipt["version"] and receipt["machine"] and receipt["date"].endswith("+00:00")
    assert found["mean"]["J"]["mean"] == scores.j_mean and found["mean"]["J&F"] == scores.j_and_f
    cows = found["sequences"]["cows"]
    assert cows["frames"] == ["00001", "00002", "00003", "00004"]
    assert cows["objects"]["200"]["J_by_frame"] == [0.4] * 4
    assert found["notes"] == ["cows: a note"]


def test_unwritable_places_are_told(scores: Scores, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*gone.*per_sequence\.csv"):
        write_csv(scores, tmp_path / "gone")
    with pytest.raises(OutputError, match=r"scores\.json"):
        write_json(scores, tmp_path / "gone" / "scores.json", Receipt("c", "d"))
