"""Each stage gets its own share, and the shares add up."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.bench.stages import StageTimer


class Counter:
    """Something that grows by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def read(self) -> np.ndarray:
        return np.array([self.now, 10 * self.now])


def test_inner_stages_are_no_part_of_outer_ones() -> None:
    counter = Counter()
    timer = StageTimer(counter.read)
    counter.now += 100  # before any stage: nobody's
    with timer.stage("rest"):
        counter.now += 1
        with timer.stage("encoder"):
            counter.now += 2
        with timer.stage("projections"):
            counter.now += 4
            with timer.stage("self"):
                counter.now += 8
            counter.now += 16
        with timer.stage("encoder"):
            counter.now += 32
    counter.now += 100
    spent = timer.take()
    assert {name: share[0] for name, share in spent.items()} == {
        "encoder": 34, "self": 8, "projections": 20, "rest": 1,
    }  # fmt: skip
    assert list(spent) == ["encoder", "self", "projections", "rest"], "in the order of a frame"
    assert spent["encoder"][1] == 340
    assert timer.take() == {}


def test_an_error_closes_the_stage() -> None:
    counter = Counter()
    timer = StageTimer(counter.read)

    def fail() -> None:
        counter.now += 3
        raise ValueError

    with timer.stage("rest"):
        with pytest.raises(ValueError):
            timer.timed(fail, "decoder")()
        counter.now += 1
    assert {name: share[0] for name, share in timer.take().items()} == {"decoder": 3, "rest": 1}


def test_a_timed_function_returns_what_it_returned() -> None:
    timer = StageTimer(Counter().read)
    assert timer.timed(lambda a, b: a - b, "self")(5, b=3) == 2
