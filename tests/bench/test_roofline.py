"""Peak rates of the machine: right sums, whatever the clock says."""

from __future__ import annotations

import itertools

import pytest

from limpet.bench import roofline
from limpet.bench.roofline import REPEATS, RooflinePeaks, measure_peaks


def test_figures_are_work_by_the_median_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roofline, "SIDE", 10)
    monkeypatch.setattr(roofline, "CHANNELS", 4)
    monkeypatch.setattr(roofline, "CELLS", 5)
    monkeypatch.setattr(roofline, "COPY_BYTES", 400)
    assert REPEATS == 5
    seconds = [100.0, 1e-6, 9e-6, 2e-6, 3e-6, 2e-6]  # the first is the warm-up; the median is 2 µs
    clock = itertools.chain.from_iterable((0.0, second) for second in itertools.cycle(seconds))
    monkeypatch.setattr(roofline.time, "perf_counter", lambda: next(clock))
    found = measure_peaks("cpu")
    assert found.product == pytest.approx({"fp32": 2000 / 2e3, "bf16": 2000 / 2e3})
    assert found.convolution == pytest.approx({"fp32": 2 * 25 * 9 * 16 / 2e3, "bf16": 2 * 25 * 9 * 16 / 2e3})
    assert found.copy == pytest.approx(800 / 2e3)


def test_the_larger_one_is_the_peak() -> None:
    found = RooflinePeaks({"fp32": 3.0, "bf16": 5.0}, {"fp32": 4.0, "bf16": 1.0}, 1.0)
    assert (found.compute("fp32"), found.compute("bf16"), found.compute("int8")) == (4.0, 5.0, None)
