"""Figures of a report from what was recorded, with times that were made up."""

from __future__ import annotations

import importlib.resources
import json
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from limpet.bench.report import FORMAT, Quartiles, TimeFacts, read_report, stage_facts, write_report
from limpet.bench.target import Work
from limpet.core.errors import DataError, OutputError

from .reports import MACHINE, PEAKS, WORK, recorded, report, with_time

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks"


def test_times_of_whole_frames() -> None:
    facts = TimeFacts.of(recorded((9.0, 10.0, 13.0)))
    assert astuple(facts.ms) == pytest.approx((10.5, 11.0, 12.5))
    assert facts.frames_per_second == pytest.approx(1000 / 11)
    assert (facts.cpu_ms, facts.cpu_ms_main_thread) == pytest.approx((21.0, 11.0))


def test_shares_of_the_peak() -> None:
    encoder, rest, whole = stage_facts(recorded(), WORK, PEAKS, "bf16")
    assert encoder.name == "encoder" and encoder.cpu_ms == pytest.approx(20.0)
    assert encoder.gflop == 2.0 and encoder.gflop_per_second == pytest.approx(200.0)
    assert encoder.share_of_compute == pytest.approx(200 / 250), "of the larger one, the convolution"
    assert encoder.moved_mb == 100.0 and encoder.gb_per_second == pytest.approx(10.0)
    assert encoder.share_of_copy == pytest.approx(0.5)
    assert rest.gflop == 0.0 and rest.share_of_copy == pytest.approx(0.05)
    assert whole.name == "all" and whole.ms.median == pytest.approx(11.0)
    assert (whole.gflop, whole.moved_mb) == (2.0, 101.0)


def test_what_is_not_known_is_null() -> None:
    for row in stage_facts(recorded(), None, PEAKS, "bf16"):
        assert row.gflop is row.share_of_compute is row.moved_mb is row.share_of_copy is None
    fused = Work({"step": (2e9, 0.0)}, moved_is_known=False)
    row = stage_facts(recorded(), fused, PEAKS, "int8")[-1]
    assert row.gflop == 2.0 and row.gflop_per_second is not None
    assert row.moved_mb is row.share_of_compute is None
    assert stage_facts(recorded(), WORK, None, "bf16")[0].share_of_compute is None


def test_a_stage_that_some_frames_lack_took_no_time_in_them() -> None:
    found = recorded((10.0, 10.0, 10.0))
    found.frames[0].pop("rest")
    rest = stage_facts(found, None, None, "fp32")[1]
    assert astuple(rest.ms) == pytest.approx(astuple(Quartiles.of([0.0, 1.0, 1.0])))


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (importlib.resources.files("limpet.bench") / "schema.json").read_text()
    )
    return found


def test_the_report_is_as_the_schema_says(tmp_path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    write_report(report(), tmp_path / "r.json")
    assert read_report(tmp_path / "r.json") == report()
    jsonschema.validate(json.loads((tmp_path / "r.json").read_text()), schema())
    write_report(report(threads=0), tmp_path / "r.json")
    with pytest.raises(jsonschema.ValidationError, match="threads"):
        jsonschema.validate(json.loads((tmp_path / "r.json").read_text()), schema())


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.json")), ids=lambda path: path.stem)
def test_the_reports_behind_the_page_are_read_and_fit_the_schema(path: Path) -> None:
    content = json.loads(path.read_text())
    jsonschema.validate(content, schema())
    assert read_report(path).whole.ms.median == content["stages"][-1]["ms"]["median"]


def test_a_report_of_the_first_format_is_read_under_todays_names(tmp_path: Path) -> None:
    path = Path(__file__).parent / "report_of_format_1.json"
    old, new = json.loads(path.read_text()), read_report(path)
    assert new.roofline is not None and new.roofline.product == old["ceilings"]["product"]
    assert new.time.cores_used_by_others == old["time"]["cores_of_others"]
    assert new.run.clip == old["run"]["footage"]
    write_report(new, tmp_path / "new.json")
    content = json.loads((tmp_path / "new.json").read_text())
    assert content["format"] == FORMAT and content["stages"] == old["stages"]
    jsonschema.validate(content, schema())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "its format is None"),
        ('{"format": "limpet-bench-9"}', "its format is 'limpet-bench-9'"),
        ('{"format": "limpet-bench-2"}', "is not a whole report"),
        ('{"format": "limpet-bench-1"}', "is not a whole report"),
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


def test_a_measurement_beside_other_programs_is_disturbed() -> None:
    found = report()
    assert not found.is_disturbed
    for cores, disturbed in ((None, False), (0.5, True)):  # where nobody knows, nobody is blamed
        assert with_time(found, cores_used_by_others=cores).is_disturbed == disturbed
        assert replace(found, machine=replace(MACHINE, cores_used_by_others=cores)).is_disturbed == disturbed
