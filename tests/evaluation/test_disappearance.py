from __future__ import annotations

from limpet.evaluation.disappearance import disappearance
from limpet.evaluation.scores import ObjectScores


def scored(values: tuple[float, ...], visible: str) -> ObjectScores:
    return ObjectScores("a", 1, values, values, visible=tuple(each == "x" for each in visible))


def test_stretches_are_averaged_before_objects() -> None:
    twice = scored((1, 0, 0, 0.5, 1, 0.2, 0.4), "x..x.xx")
    assert disappearance([twice]).absent == (0 + 1) / 2
    assert disappearance([twice]).returned == (0.5 + 0.3) / 2
    found = disappearance([twice, scored((1, 0.9), "x."), scored((1, 1), "xx")])
    assert (found.absent_objects, found.returned_objects) == (2, 1)
    assert found.absent == (0.5 + 0.9) / 2 and found.returned == 0.4


def test_an_absence_at_the_beginning_is_none_but_what_follows_is_a_return() -> None:
    found = disappearance([scored((0, 0.6), ".x")])
    assert found.absent is None and found.returned == 0.6
    assert disappearance([]).absent is None
