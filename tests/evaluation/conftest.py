"""Scores of five made-up objects."""

from __future__ import annotations

import pytest

from limpet.evaluation.scores import ObjectScores, Scores


@pytest.fixture
def scores() -> Scores:
    objects = (
        ObjectScores("bus", 1, (0.9, 0.8, 0.7, 0.6), (0.8, 0.7, 0.6, 0.5)),
        ObjectScores("cows", 1, (0.2, 0.2, 0.2, 0.2), (0.1, 0.1, 0.1, 0.1)),
        ObjectScores("cows", 200, (0.4, 0.4, 0.4, 0.4), (0.3, 0.3, 0.3, 0.3)),
        ObjectScores("duck", 255, (1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0)),
        ObjectScores("elk", 1, (0.5, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5)),
    )
    names = ("00001", "00002", "00003", "00004")
    return Scores(objects, dict.fromkeys(("bus", "cows", "duck", "elk"), names), 2.0, 20, ("cows: a note",))
