"""Measuring a model's speed: which steps count, not how long they take."""

from __future__ import annotations

import itertools

import pytest

from limpet.errors import ModelError
from limpet.tracking import speed
from limpet.tracking.speed import FRAMES, STEPS, WARM_UP, measure_speed


def test_the_median_of_the_steps_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [100.0] * WARM_UP + [5.0, 1.0, 3.0, 2.0, 4.0]
    assert len(seconds) == WARM_UP + FRAMES
    clock = itertools.chain.from_iterable((0.0, second) for second in seconds)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    done: list[int] = []
    assert measure_speed("deaot-t", "cpu", size=(49, 65), on_frame=done.append) == 3.0
    assert done == list(range(1, STEPS + 1))


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelError, match="there is no model called 'deaot'"):
        measure_speed("deaot", "cpu")
