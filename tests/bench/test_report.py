"""Figures of a report from what was recorded, with times that were made up."""

from __future__ import annotations

import importlib.resources
import json
from pathlib import Path

import jsonschema
import pytest

from limpet.bench.report import is_disturbed, read_report, spread_of, stage_facts, time_facts, write_report
from limpet.bench.target import Work
from limpet.core.errors import DataError, OutputError

from .reports import CEILINGS, WORK, recorded, report


def test_times_of_whole_frames() -> None:
    facts = time_facts(recorded((9.0, 10.0, 13.0)))
    assert facts["ms"] == pytest.approx({"quartile_1": 10.5, "median": 11.0, "quartile_3": 12.5})
    assert facts["frames_per_second"] == pytest.approx(1000 / 11)
    assert (facts["cpu_ms"], facts["cpu_ms_main_thread"]) == pytest.approx((21.0, 11.0))


def test_shares_of_the_limit() -> None:
    encoder, rest, whole = stage_facts(recorded(), WORK, CEILINGS, "bf16")
    assert encoder["name"] == "encoder" and encoder["cpu_ms"] == pytest.approx(20.0)
    assert encoder["gflop"] == 2.0 and encoder["gflop_per_second"] == pytest.approx(200.0)
    assert encoder["share_of_compute"] == pytest.approx(200 / 250), "of the larger one, the convolution"
    assert encoder["moved_mb"] == 100.0 and encoder["gb_per_second"] == pytest.approx(10.0)
    assert encoder["share_of_copy"] == pytest.approx(0.5)
    assert rest["gflop"] == 0.0 and rest["share_of_copy"] == pytest.approx(0.05)
    assert whole["name"] == "all" and whole["ms"]["median"] == pytest.approx(11.0)
    assert (whole["gflop"], whole["moved_mb"]) == (2.0, 101.0)


def test_what_is_not_known_is_null() -> None:
    for row in stage_facts(recorded(), None, CEILINGS, "bf16"):
        assert row["gflop"] is row["share_of_compute"] is row["moved_mb"] is row["share_of_copy"] is None
    fused = Work({"step": (2e9, 0.0)}, moved_is_known=False)
    row = stage_facts(recorded(), fused, CEILINGS, "int8")[-1]
    assert row["gflop"] == 2.0 and row["gflop_per_second"] is not None
    assert row["moved_mb"] is row["share_of_compute"] is None
    assert stage_facts(recorded(), WORK, None, "bf16")[0]["share_of_compute"] is None


def test_a_stage_that_some_frames_lack_took_no_time_in_them() -> None:
    found = recorded((10.0, 10.0, 10.0))
    found.frames[0].pop("rest")
    rest = stage_facts(found, None, None, "fp32")[1]
    assert rest["ms"] == pytest.approx(spread_of([0.0, 1.0, 1.0]))


def test_the_report_is_as_the_schema_says(tmp_path: Path) -> None:
    schema = json.loads((importlib.resources.files("limpet.bench") / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    write_report(report(), tmp_path / "r.json")
    assert read_report(tmp_path / "r.json") == report()
    jsonschema.validate(report(), schema)
    with pytest.raises(jsonschema.ValidationError, match="threads"):
        jsonschema.validate(report(threads=0), schema)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "its format is None"),
        ('{"format": "limpet-bench-1"}', "not a whole report"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(DataError, match=words):
        read_report(tmp_path / "r.json")
    with pytest.raises(DataError, match="cannot be read"):
        read_report(tmp_path / "none.json")
    with pytest.raises(OutputError, match="the folder does not exist"):
        write_report(report(), tmp_path / "none" / "r.json")


@pytest.mark.parametrize("part", ["machine", "time"])
def test_a_measurement_beside_other_programs_is_disturbed(part: str) -> None:
    found = report()
    assert not is_disturbed(found)
    found[part]["cores_of_others"] = None
    assert not is_disturbed(found), "where nobody knows, nobody is blamed"
    found[part]["cores_of_others"] = 0.5
    assert is_disturbed(found)
