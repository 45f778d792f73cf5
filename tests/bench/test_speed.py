"""Measuring a model's speed: which steps count, not how long they take."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from limpet.bench import measure as record
from limpet.bench import speed
from limpet.bench.speed import FRAMES, STEPS, WARM_UP, measure_speed
from limpet.core.errors import ModelError


class Still:
    """A tracker that does nothing."""

    def start(self, frame: np.ndarray, mask: np.ndarray) -> None:
        return None

    def step(self, frame: np.ndarray, state: None) -> tuple[None, None]:
        return None, None


def test_the_median_of_the_steps_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [100.0] * WARM_UP + [5.0, 1.0, 3.0, 2.0, 4.0]
    assert len(seconds) == WARM_UP + FRAMES
    # a frame is read four times: it begins, its step begins and ends, it ends; and once more when it is taken
    steps = ((0.0, 0.0, second, 0.0, 0.0) for second in seconds)
    clock = itertools.accumulate(itertools.chain([0.0], itertools.chain.from_iterable(steps)))
    monkeypatch.setattr(record, "seconds", lambda _: np.full(3, next(clock)))
    subject = speed_subject()
    monkeypatch.setattr(speed, "make_target", lambda _: subject)
    done: list[int] = []
    assert measure_speed("deaot-t", "cpu", size=(48, 64), on_frame=done.append) == 3.0
    assert done == list(range(1, STEPS + 1))


def speed_subject() -> Any:
    from contextlib import nullcontext

    from limpet.bench.target import Subject

    return Subject(
        Still(), "none", "random", 0.0, "cpu", lambda: None, lambda _: nullcontext(), "rest", lambda *_: None
    )


def test_it_measures_a_real_model() -> None:
    assert measure_speed("deaot-t", "cpu", size=(48, 64)) > 0


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelError, match="there is no model called 'deaot'"):
        measure_speed("deaot", "cpu")
