"""Calibration of confidences: Platt scaling, the expected calibration error (ECE) and the AUROC.

A confidence is calibrated when masks of confidence 0.7 have an IoU of 0.7 on average. It is useful when it tells bad
masks from good ones. The first is measured by the expected calibration error, the second by the area under the ROC
curve (AUROC), which Platt scaling leaves as it is.

Legend: n masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from limpet.core.errors import DataError

Numbers = NDArray[np.float64]
BAD = 0.5
"""A mask with a smaller IoU than this counts as bad."""
_EPSILON, _STEPS = 1e-9, 100


@dataclass(frozen=True)
class Bin:
    """The masks whose confidence lies between ``low`` and ``high``: how many, their mean confidence and mean IoU."""

    low: float
    high: float
    count: int
    confidence: float
    iou: float


@dataclass(frozen=True)
class Reliability:
    """How well confidences agree with the quality of the masks.

    bins: those that hold a mask, in ascending order of confidence.
    error: expected calibration error (ECE), the mean difference of confidence and IoU over the bins; 0 is best.
    auroc: probability that a bad mask has a lower confidence than a good one; 0.5 is guessing, 1 is best, and NaN means
        that all masks are bad or none is.
    bad: share of the masks that are bad.
    """

    bins: tuple[Bin, ...]
    error: float
    auroc: float
    bad: float


def fit_platt_scaling(log_odds: ArrayLike, quality: ArrayLike, weights: ArrayLike) -> tuple[float, float]:
    """Platt scaling: the slope and offset for which ``sigmoid(slope * log_odds + offset)`` is the expected quality.

    Logistic regression with a quality in 0..1 instead of classes, by Newton's method; deterministic.

    Args:
        log_odds: (n,) of the raw confidences. quality: (n,) 0..1. weights: (n,) how much each mask counts.

    Raises:
        DataError: there is nothing to fit: too few masks, all alike, or higher confidences go with worse masks.

    >>> slope, offset = fit_platt_scaling([-2.0, 0.0, 2.0], [0.1, 0.5, 0.9], [1.0, 1.0, 1.0])
    >>> round(slope, 2), round(abs(offset), 2)
    (1.1, 0.0)
    """
    x, y, w = (np.asarray(values, np.float64) for values in (log_odds, quality, weights))
    if len(x) < 2 or np.ptp(x) < _EPSILON or np.ptp(y) < _EPSILON:
        raise DataError(
            f"{len(x)} masks are not enough for a calibration, since they are all alike; give more or harder videos"
        )
    rows, fit = np.stack([x, np.ones_like(x)], axis=1), np.array([1.0, 0.0])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-rows @ fit))
        curvature = (rows * (w * p * (1 - p))[:, None]).T @ rows + _EPSILON * np.eye(2)
        change = np.linalg.solve(curvature, rows.T @ (w * (y - p)))
        fit += np.clip(change, -1, 1)
        if np.abs(change).max() < _EPSILON:
            break
    if fit[0] <= 0:
        raise DataError(
            "masks with a lower confidence are better on these videos; a calibration cannot be fitted to them"
        )
    return float(fit[0]), float(fit[1])


def reliability(confidence: ArrayLike, iou: ArrayLike, bins: int = 10) -> Reliability:
    """Compare confidences with the true quality of the masks.

    Args:
        confidence: (n,) 0..1. iou: (n,) 0..1 of the same masks. bins: number of bins of equal width.

    Raises:
        DataError: there is no mask.
    """
    p, y = np.asarray(confidence, np.float64), np.asarray(iou, np.float64)
    if not len(p):
        raise DataError(
            "there is no mask whose confidence could be compared; give videos in which objects are tracked"
        )
    bin_of = np.minimum((p * bins).astype(int), bins - 1)
    found = [
        Bin(k / bins, (k + 1) / bins, int(here.sum()), float(p[here].mean()), float(y[here].mean()))
        for k in range(bins)
        if (here := bin_of == k).any()
    ]
    error = sum(each.count * abs(each.confidence - each.iou) for each in found) / len(p)
    bad = y < BAD
    return Reliability(tuple(found), float(error), auroc(p, bad), float(bad.mean()))


def auroc(confidence: ArrayLike, bad: ArrayLike) -> float:
    """Area under the ROC curve: the probability that a bad mask has less confidence than a good one.

    Ties count half; NaN where all masks are bad or none is. confidence: (n,). bad: (n,) bool.

    >>> auroc([0.9, 0.8, 0.8, 0.2], [False, False, True, True])
    0.875
    """
    p, b = np.asarray(confidence, np.float64), np.asarray(bad, bool)
    if b.all() or not b.any():
        return float("nan")
    _, place, counts = np.unique(p, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    good, many = (~b).sum(), len(p)
    below = ranks[~b].sum() - good * (good + 1) / 2
    return float(below / (good * (many - good)))


def balanced(groups: Sequence[str]) -> Numbers:
    """Weights (n,), whose sum is n, with which every group counts the same, however many masks it has."""
    _, place, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    result: Numbers = (len(groups) / len(counts) / counts)[place]
    return result
