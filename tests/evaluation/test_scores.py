"""Means over objects, and the sequences that scored lowest."""

from __future__ import annotations

import pytest

from limpet.core.errors import DataError
from limpet.evaluation.scores import Scores, summarise


def test_means_are_over_objects(scores: Scores) -> None:
    assert scores.j_mean == pytest.approx((0.75 + 0.2 + 0.4 + 1 + 0.5) / 5)
    assert scores.summary.j.recall == pytest.approx((1 + 0 + 0 + 1 + 0) / 5)
    assert scores.summary.j.decay == pytest.approx(0.2 / 5)  # the quarters of four frames are two frames each
    assert scores.frames_per_second == 10
    assert scores.worst() == ("cows", "elk", "bus")
    assert scores.region_by_frame("cows") == pytest.approx((0.3,) * 4)


def test_objects_of_a_sequence_stay_together(scores: Scores) -> None:
    groups = scores.by_sequence()
    assert {name: [o.object_id for o in group] for name, group in groups.items()} == {
        "bus": [1],
        "cows": [1, 200],
        "duck": [255],
        "elk": [1],
    }
    cows = summarise(groups["cows"])
    assert cows.objects == 2 and cows.j_and_f == pytest.approx((0.3 + 0.2) / 2)


def test_without_an_object_there_are_no_scores() -> None:
    with pytest.raises(DataError, match="nothing was scored: there is no sequence"):
        Scores((), {})
