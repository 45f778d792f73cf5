"""The page of benchmarks, from reports that were made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench.reports import report, slower, with_memory, with_time
from report_chart import draw_chart
from report_page import BEGIN, END, figures_of, pairs_table, read_reports, write_page

from limpet.bench.report import BenchReport, Quartiles, write_report
from limpet.core.errors import DataError


def job() -> BenchReport:
    found = report(what="end to end", network_size=(321, 577))
    stages = [
        replace(found.stages[0], name=name, ms=Quartiles(ms, ms, ms))
        for name, ms in (("decode video", 2.0), ("encoder", 6.0), ("write masks", 3.0))
    ]
    return with_time(replace(found, stages=(*stages, found.whole)), whole_seconds=2.0)


def whole(**run: Any) -> BenchReport:
    """With stages enough to be shown."""
    found = report(**run)
    encoder, *others = found.stages
    more = [replace(encoder, name=name) for name in ("self", "decoder")]
    return replace(found, stages=(encoder, *more, *others))


def test_tables_between_the_marks_and_words_around_them(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Ours\n\n{BEGIN}\nof yesterday\n{END}\n\nAfter.\n")
    reports = {"a": whole(), "b": job()}
    write_page(page, reports, {})
    first = page.read_text()
    assert first.startswith("# Ours") and first.endswith("After.\n") and "of yesterday" not in first
    row = "| deaot-t | torch | bf16 | 481x849 | 3 | **11.0** (10.5-11.5) | 90.91 | 21 | 2.0 | 182 | 73 % | 400 | 100 |"
    assert row in first
    assert "| encoder | 10.0 | 91 % | 2.00 | 200 | 80 % | 100 | 10.0 | 50 % |" in first
    assert "| 2.0 | 6.0 | 3.0 | 4 frames in 2.00 s | 400 |" in first
    assert "No measurement was disturbed" in first and "no earlier measurement" in first
    write_page(page, reports, {})
    assert page.read_text() == first


def test_a_page_without_marks_stays_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("words")
    with pytest.raises(DataError, match="must hold <!-- figures -->"):
        write_page(page, {"a": whole()}, {})
    assert page.read_text() == "words"


def test_disturbed_measurements_are_marked() -> None:
    busy = with_time(whole(), cores_used_by_others=1.0)
    text = "\n".join(figures_of({"a": whole(), "b": busy}, {}))
    assert "**1 of 2 were disturbed by other programs" in text
    assert text.count("(10.5-11.5) !") == 1 and text.count("(10.5-11.5) |") == 1


def test_regressions_and_gains_since_the_last_time() -> None:
    reports = {"a": whole(), "b": whole(objects=10), "new": whole(objects=1)}
    earlier = {"a": slower(whole(), "all", 0.5), "b": slower(whole(), "all", 2.0), "gone": whole()}
    text = figures_of(reports, earlier)[-1]
    assert "| a | all, ms | 5.5 | 11.0 | **2.00** |" in text
    assert "| b | all, ms | 22.0 | 11.0 | 0.50 |" in text
    assert "new" not in text and "gone" not in text
    assert figures_of(reports, dict(reports))[-1] == "Nothing has changed since commit abc."


def test_reports_are_read_in_the_order_of_the_table(tmp_path: Path) -> None:
    given = [job(), report(objects=10), report(engine="onnxruntime 1"), report(), report(model="deaot-l")]
    for number, each in enumerate(given):
        write_report(each, tmp_path / f"{number}.json")
    assert list(read_reports(tmp_path)) == ["4", "3", "1", "2", "0"]
    with pytest.raises(DataError, match="holds no report"):
        read_reports(tmp_path / "none")


def test_the_chart(tmp_path: Path) -> None:
    from PIL import Image

    draw_chart({"a": whole(), "b": report(engine="onnxruntime 1"), "c": job()}, tmp_path / "c.png")
    with Image.open(tmp_path / "c.png") as image:
        assert image.size[0] > 1000
    with pytest.raises(DataError, match="nothing to draw"):
        draw_chart({"c": job()}, tmp_path / "d.png")


def timed(ms: float, peak: float = 400.0, **run: Any) -> BenchReport:
    found = report(**run)
    return with_memory(with_time(found, ms=replace(found.time.ms, median=ms)), peak_mb=peak)


def test_each_is_set_beside_its_plain_counterpart() -> None:
    rows = {
        "a": timed(10, precision="fp32"),
        "b": timed(5),
        "c": timed(4, model="deaot-t-deformable"),
        "d": timed(20, 300, engine="onnxruntime 1.2", precision="fp32"),
        "e": timed(20, 500, engine="openvino 3.4"),
        "f": timed(99, objects=10),
    }
    assert pairs_table(rows).splitlines()[2:] == [
        "| deaot-t, torch, bf16 | fp32 | 481x849 | 3 | 2.00 | 1.00 | 1.00 |",
        "| deaot-t-deformable, torch, bf16 | deaot-t | 481x849 | 3 | 1.25 | 1.00 | 1.00 |",
        "| deaot-t, onnxruntime, fp32 | torch, fp32 | 481x849 | 3 | **0.50** | 1.00 | 0.75 |",
        "| deaot-t, openvino, bf16 | torch, bf16 | 481x849 | 3 | **0.25** | 1.00 | **1.25** |",
    ]


def test_no_two_measurements_differ_in_one_thing() -> None:
    assert pairs_table({"a": timed(1)}).startswith("No two measurements")
