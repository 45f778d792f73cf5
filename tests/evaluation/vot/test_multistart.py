"""Expected average overlap, accuracy and robustness against plain loops, and on runs whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.evaluation.vot.multistart import (
    AnchoredRuns,
    expected_overlaps,
    frames_until_failure,
    multistart_score,
)
from limpet.evaluation.vot.overlaps import RunOverlaps


def run_of(overlaps: list[float], hidden: tuple[int, ...] = ()) -> RunOverlaps:
    visible = np.array([index not in hidden for index in range(len(overlaps))])
    everywhere = np.ones(len(overlaps), bool)
    return RunOverlaps(np.array(overlaps), visible, everywhere, everywhere)


def slow_failure(run: RunOverlaps) -> int:
    left = 10
    for index, (overlap, visible) in enumerate(zip(run.overlap, run.visible, strict=True)):
        left = left - 1 if overlap <= 0.1 and visible else 10
        if left == 0:
            return index - 9
    return len(run.overlap)


def slow_expected(run: RunOverlaps, lengths: int) -> tuple[list[float], list[bool]]:
    until, count = slow_failure(run), len(run.overlap)
    overlap = [value if index < until else 0.0 for index, value in enumerate(run.overlap)]
    found, there = [0.0], [False]
    for j in range(1, lengths):
        there.append(j < count or until < count)
        if j < count:
            found.append(sum(overlap[1 : j + 1]) / j)
        else:
            found.append(sum(overlap[1:]) / (j - 1) if until < count else 0.0)
    return found, there


def random_run(seed: int) -> RunOverlaps:
    chance = np.random.default_rng(seed)
    overlaps = chance.choice([0.0, 0.1, 0.3, 0.9], int(chance.integers(2, 40)), p=[0.6, 0.28, 0.08, 0.04])
    overlaps[0] = 0.0
    return run_of(overlaps.tolist(), tuple(chance.integers(0, 40, 3).tolist()))


@pytest.mark.parametrize("seed", range(40))
def test_against_plain_loops(seed: int) -> None:
    run = random_run(seed)
    assert frames_until_failure(run) == slow_failure(run)
    found, there = expected_overlaps(run, frames_until_failure(run), 50)
    expected, is_there = slow_expected(run, 50)
    assert there.tolist() == is_there
    assert found == pytest.approx(np.array(expected), abs=1e-12)


def test_both_kinds_of_runs_are_among_the_random_ones() -> None:
    failed = [slow_failure(random_run(seed)) < len(random_run(seed).overlap) for seed in range(40)]
    assert 5 < sum(failed) < 35


def test_a_failure_is_dated_to_its_first_frame() -> None:
    assert frames_until_failure(run_of([0, *[1.0] * 4, *[0.1] * 10, 1.0])) == 5
    assert frames_until_failure(run_of([0, *[1.0] * 4, *[0.1] * 9, 1.0])) == 15
    assert frames_until_failure(run_of([0, *[1.0] * 4, *[0.1] * 10, 1.0], hidden=(9,))) == 16
    assert frames_until_failure(run_of([0.0] * 12)) == 0, "the first frame counts among the ten"
    assert frames_until_failure(run_of([0.0] * 3)) == 3


def test_a_perfect_and_a_hopeless_tracker() -> None:
    perfect = [AnchoredRuns(30, [run_of([0.0, *[1.0] * 29])])]
    score = multistart_score(perfect, (5, 20))
    assert (score.eao, score.robustness, score.accuracy) == (1.0, 1.0, pytest.approx(29 / 30))
    hopeless = multistart_score([AnchoredRuns(30, [run_of([0.0] * 30)])], (5, 20))
    assert (hopeless.eao, hopeless.robustness, hopeless.accuracy) == (0.0, 0.0, 0.0)
    assert len(hopeless.curve) == 20


def test_sequences_are_weighted_by_their_length() -> None:
    good, bad = run_of([0.0, *[1.0] * 19]), run_of([0.0] * 40)
    score = multistart_score([AnchoredRuns(20, [good]), AnchoredRuns(40, [bad])], (2, 15))
    assert score.robustness == pytest.approx(20 / 60)
    assert score.accuracy == pytest.approx(19 / 20), "frames after a failure do not count"
    assert score.eao == pytest.approx(0.5)
