"""Means over objects, and the sequences that scored lowest."""

from __future__ import annotations

import pytest

from limpet.core.errors import DataError
from limpet.evaluation.scores import ObjectScores, Scores, summarise


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


def test_variation_is_that_of_lvos() -> None:
    """lvos/utils.py, db_statistics_var: the root of a variance that is rounded to four decimals."""
    scored = ObjectScores("a", 1, (0.5, 1.0, 0.9), (0.1, 0.6, 0.9))
    values = [0.3, 0.8, 0.9]
    mean = sum(values) / 3
    assert scored.variation == round(sum((value - mean) ** 2 for value in values) / 3, 4) ** 0.5


def test_g_is_the_mean_over_both_kinds_of_categories() -> None:
    one, other = (ObjectScores("a", i, (0.5 * i,), (0.25 * i,), seen=i == 1) for i in (1, 2))
    scores = Scores((one, one, other), {"a": ("1",)})
    assert scores.headline == ("G", (0.375 + 0.75) / 2) and scores.j_and_f == (0.375 * 2 + 0.75) / 3
    assert Scores((one,), {"a": ("1",)}).headline == ("J&F", 0.375), "there is no unseen one"


def test_region_by_frame_averages_those_that_are_scored_there() -> None:
    early = ObjectScores("a", 1, (0.5, 1.0), (0.5, 1.0), ("1", "2"))
    late = ObjectScores("a", 2, (0.0, 0.0), (0.0, 0.0), ("2", ""))
    assert Scores((early, late), {"a": ("1", "2")}).region_by_frame("a") == (0.5, 0.5)
