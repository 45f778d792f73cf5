"""Two reports side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from limpet.bench.compare import compare

from .reports import MACHINE, report, slower, with_memory, with_time


def test_equal_reports_show_no_change() -> None:
    found = compare(report(), report())
    assert found.regressions == () and found.differences == ()
    assert {change.verdict for change in found.changes} == {""}
    assert [change.name for change in found.changes] == [
        "encoder", "rest", "all", "CPU, all", "peak memory", "state", "weights",
    ]  # fmt: skip


@pytest.mark.parametrize(("factor", "verdict"), [(1.3, "slower"), (0.7, "faster"), (1.02, ""), (0.98, "")])
def test_a_stage_that_changed_beyond_its_spread(factor: float, verdict: str) -> None:
    found = compare(report(), slower(report(), "encoder", factor))
    encoder = found.changes[0]
    assert (encoder.verdict, encoder.ratio) == (verdict, pytest.approx(factor))
    assert [change.name for change in found.regressions] == (["encoder"] if verdict == "slower" else [])


def test_medians_apart_within_their_spread_are_no_change() -> None:
    """Quartiles 9.5 to 10.5: six per cent slower could be chance."""
    assert compare(report(), slower(report(), "encoder", 1.06)).changes[0].verdict == ""


def test_memory_and_cpu_time_count_too() -> None:
    old = report()
    *stages, whole = old.stages
    new = replace(old, stages=(*stages, replace(whole, cpu_ms=0.5 * whole.cpu_ms)))
    found = compare(old, with_memory(new, peak_mb=1.1 * old.memory.peak_mb))
    assert [change.name for change in found.regressions] == ["peak memory"]
    assert next(change for change in found.changes if change.name == "CPU, all").verdict == "less"


def test_other_conditions_are_reported() -> None:
    new = replace(report(threads=1, frame_size=(240, 427)), machine=replace(MACHINE, cpu="Apple M9"))
    assert compare(report(), with_time(new, cores_used_by_others=1.0)).differences == (
        "threads was 2, is 1",
        "frame size was 480x854, is 240x427",
        "processor was AMD EPYC, is Apple M9",
        "other programs used 0.0 cores then, 1.0 now",
    )


def test_stages_of_one_report_only_are_left_out() -> None:
    new = report()
    new = replace(new, stages=tuple(row for row in new.stages if row.name != "encoder"))
    assert "encoder" not in [change.name for change in compare(report(), new).changes]
    assert "encoder" not in [change.name for change in compare(new, report()).changes]
