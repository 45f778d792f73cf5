"""Tables of measures, and what is read of the toolkit's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from limpet.core.errors import DataError
from limpet.evaluation.vot.multistart import MultistartScore
from limpet.evaluation.vot.quality import QualityScore
from limpet.evaluation.vot.score_workspace import VotResult
from limpet.evaluation.vot.tables import published_table, score_tables, toolkit_measures

RECORDED = Path(__file__).parent


def text_of(tables: list[Table]) -> str:
    console = Console(width=100)
    with console.capture() as capture:
        for table in tables:
            console.print(table)
    return capture.get()


def test_a_row_for_each_tracker_and_one_for_the_toolkit() -> None:
    score = MultistartScore(0.61234, 0.7, 0.8, ())
    results = [
        VotResult("mine", "baseline", score, 3, 0),
        VotResult("other", "baseline", None, 3, 2),
        VotResult("mine", "realtime", score, 3, 0),
    ]
    official = {("mine", "baseline"): {"eao": 0.5, "accuracy": 0.25}}
    lines = text_of(score_tables(results, official)).splitlines()
    assert next(line.split() for line in lines if "mine" in line) == [
        "mine",
        "limpet",
        "0.612",
        "0.700",
        "0.800",
    ]
    assert [line.split() for line in lines if "toolkit" in line] == [["toolkit", "0.500", "0.250", "-"]]
    assert any("other" in line and "2 of 3 runs are missing" in line for line in lines)
    assert "realtime" in "".join(lines)


def test_a_measure_that_no_object_has_is_a_dash() -> None:
    score = QualityScore(0.5, 0.6, 0.7, 0.1, 0.2, None)
    (row,) = [
        line
        for line in text_of(score_tables([VotResult("a", "baseline", score, 1, 0)])).splitlines()
        if "a " in line and "limpet" in line
    ]
    assert row.split() == ["a", "limpet", "0.500", "0.600", "0.700", "0.100", "0.200", "-"]


def test_the_paper_has_twelve_models() -> None:
    text = text_of([published_table()])
    assert "SwinB-DeAOT-L   0.622           0.559" in text and text.count("AOT") == 12 + 1


def test_measures_of_the_toolkit_have_our_names() -> None:
    single, multi = (toolkit_measures(RECORDED / f"recorded_{kind}.json") for kind in ("single", "multi"))
    assert single["late", "baseline"].keys() == {"eao", "accuracy", "robustness"}
    assert single["late", "unsupervised"].keys() == {"accuracy"}
    assert multi["late", "baseline"].keys() == {
        "quality", "accuracy", "robustness", "not_reported", "drift", "absence"
    }  # fmt: skip


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps({"results": []}))
    for name in ("other.json", "missing.json"):
        with pytest.raises(DataError, match="is not what the toolkit writes"):
            toolkit_measures(tmp_path / name)
