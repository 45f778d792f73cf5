"""What other programs take of the machine, from counters that were made up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from limpet.bench import machine
from limpet.bench.machine import CpuUsage, busy_warning, cores_used_by_others, cpu_usage


def test_what_is_not_ours_is_theirs() -> None:
    before = CpuUsage(clock=10.0, own=5.0, all=1000.0)
    assert cores_used_by_others(before, CpuUsage(12.0, 8.0, 1004.0)) == pytest.approx(0.5)
    assert cores_used_by_others(before, CpuUsage(12.0, 8.0, 1002.5)) == 0.0, (
        "counters of a hundredth of a second"
    )
    assert cores_used_by_others(before, CpuUsage(10.0, 5.0, 1000.0)) is None
    assert cores_used_by_others(before, CpuUsage(12.0, 8.0, None)) is None


def test_the_system_s_counters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 200 300 9999 8888 10 20 30 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    monkeypatch.setattr(machine, "STAT", stat)
    monkeypatch.setattr(machine.os, "sysconf", lambda _: 100)
    assert cpu_usage().all == pytest.approx(6.6), "idling and waiting for a disk is no work"
    monkeypatch.setattr(machine, "STAT", tmp_path / "none")
    assert cpu_usage().all is None


def test_the_warning() -> None:
    assert busy_warning(0.1, 5.0) is None, "what is measured counts more than the last minute's load"
    assert "they used 1.5 cores" in str(busy_warning(1.5, None))
    assert "the load was 2.0" in str(busy_warning(None, 2.0))
    assert busy_warning(None, 0.1) is None and busy_warning(None, None) is None


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of another process is known on Linux alone")
def test_the_peak_of_another_process() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        assert 0 < machine.peak_mb(other.pid) < machine.peak_mb()
        other.kill()
    assert machine.peak_mb(other.pid) == 0, "it is gone"
