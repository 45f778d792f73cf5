"""Fitting a confidence to known quality, and the measures of how well it fits."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest

from limpet.core.errors import DataError
from limpet.evaluation import reliability as reliability_module
from limpet.evaluation.reliability import auroc, balanced, fit_platt_scaling, reliability


def some(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds and the quality that goes with them: sigmoid(1.5 x - 0.7), with noise that is 0 on average."""
    chance = np.random.default_rng(0)
    x = chance.normal(size=n)
    mean = 1 / (1 + np.exp(0.7 - 1.5 * x))
    return x, np.clip(mean + chance.choice([-0.05, 0.05], size=n), 0, 1)


def test_the_slope_and_offset_behind_the_data_are_found() -> None:
    x, y = some()
    slope, offset = fit_platt_scaling(x, y, np.ones(len(x)))
    assert slope == pytest.approx(1.5, abs=0.06) and offset == pytest.approx(-0.7, abs=0.06)
    predicted = 1 / (1 + np.exp(-slope * x - offset))
    assert predicted.mean() == pytest.approx(y.mean(), abs=1e-6), "the mean is right, whatever the noise"


def test_weights_are_repetitions() -> None:
    x, y = some(60)
    weights = np.arange(60) % 3
    expected = fit_platt_scaling(np.repeat(x, weights), np.repeat(y, weights), np.ones(int(weights.sum())))
    assert fit_platt_scaling(x, y, weights) == pytest.approx(expected, abs=1e-6)


def test_all_or_nothing_converges() -> None:
    slope, offset = fit_platt_scaling([-1.0, 1.0], [0.0, 1.0], [1.0, 1.0])
    assert slope > 5 and math.isfinite(slope) and offset == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        ([], [], "0 masks are not enough for a calibration"),
        ([1.0, 1.0], [0.2, 0.9], "they are all alike"),
        ([1.0, 2.0], [0.5, 0.5], "they are all alike"),
        ([1.0, 2.0], [0.9, 0.1], "masks with a lower confidence are better"),
    ],
)
def test_nothing_to_learn(x: list[float], y: list[float], why: str) -> None:
    with pytest.raises(DataError, match=why):
        fit_platt_scaling(x, y, np.ones(len(x)))


def test_reliability_by_hand() -> None:
    found = reliability([0.05, 0.72, 0.78, 1.0], [0.0, 0.5, 0.7, 0.9])
    assert [(b.low, b.high, b.count) for b in found.bins] == [(0, 0.1, 1), (0.7, 0.8, 2), (0.9, 1.0, 1)]
    assert found.bins[1].confidence == pytest.approx(0.75) and found.bins[1].iou == pytest.approx(0.6)
    assert found.error == pytest.approx((0.05 + 2 * 0.15 + 0.1) / 4)
    assert found.bad == 0.25 and found.auroc == 1.0
    with pytest.raises(DataError, match="there is no mask"):
        reliability([], [])


def test_auroc_against_all_pairs() -> None:
    chance = np.random.default_rng(1)
    confidence, bad = chance.integers(0, 6, 50) / 5, chance.random(50) < 0.4
    pairs = [(b, g) for b in confidence[bad] for g in confidence[~bad]]
    expected = np.mean([1.0 if b < g else 0.5 if b == g else 0.0 for b, g in pairs])
    assert auroc(confidence, bad) == pytest.approx(expected)
    assert math.isnan(auroc([0.1, 0.2], [False, False])) and math.isnan(auroc([0.1], [True]))


def test_every_kind_counts_the_same() -> None:
    weights = balanced(["a", "b", "a", "a"])
    assert weights.tolist() == pytest.approx([2 / 3, 2, 2 / 3, 2 / 3])


def test_the_examples_are_true() -> None:
    outcome = doctest.testmod(reliability_module)
    assert outcome.attempted and not outcome.failed
