"""Measures of VOTS on runs whose figures can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.evaluation.vot.overlaps import RunOverlaps
from limpet.evaluation.vot.quality import average_overlap, quality_score

# of 25 frames: the first one, 4 tracked, 3 beside, 2 unreported, 12 absent (9 noticed, 3 not), 3 with unknown truth
OVERLAP = [0.0, *[0.5] * 4, *[0.0] * 3, *[0.0] * 2, *[1.0] * 9, *[0.0] * 3, *[0.0] * 3]
VISIBLE = [*[True] * 10, *[False] * 15]
ANSWERED = [False, *[True] * 7, *[False] * 2, *[False] * 9, *[True] * 3, *[True] * 3]
KNOWN = [*[True] * 22, *[False] * 3]


def counted() -> RunOverlaps:
    return RunOverlaps(np.array(OVERLAP), np.array(VISIBLE), np.array(ANSWERED), np.array(KNOWN))


def perfect(frames: int) -> RunOverlaps:
    there = np.ones(frames, bool)
    answered = np.array([False, *[True] * (frames - 1)])
    return RunOverlaps(answered.astype(float), there, answered, there)


def test_frames_are_counted_by_what_happened_in_them() -> None:
    score = quality_score([[counted()]])
    assert score.robustness == pytest.approx(4 / 10)
    assert score.drift == pytest.approx(3 / 10)
    assert score.not_reported == pytest.approx(3 / 10), "the first frame is one of them"
    assert score.absence == pytest.approx(9 / 12)
    assert score.quality == pytest.approx((4 * 0.5 + 9) / 22), "frames of unknown truth do not count"
    assert score.accuracy == pytest.approx(4 * 0.5 / 5), "the first frame is one of them"


def test_means_are_taken_over_objects_and_then_over_sequences() -> None:
    score = quality_score([[counted(), perfect(10)], [perfect(20)]])
    assert score.robustness == pytest.approx(((0.4 + 0.9) / 2 + 0.95) / 2)
    assert score.absence == pytest.approx(9 / 12), "objects that are never away have no absence"


def test_average_overlap_is_weighted_by_length() -> None:
    still = perfect(10)._replace(overlap=np.zeros(10))
    assert average_overlap([perfect(30), still]) == pytest.approx(0.75)
    assert average_overlap([perfect(4)], burn_in=0) == pytest.approx(0.75)
