"""When an object counts as lost."""

from __future__ import annotations

import pytest

from limpet.visual.track import LostRule, ObjectTrack, Span


def spans(areas: list[int], confidences: list[float | None], first: int = 0, frames: int = 3) -> list[Span]:
    track = ObjectTrack(7, first)
    for area, confidence in zip(areas, confidences, strict=True):
        track.add(area, confidence)
    return track.lost_spans(LostRule(confidence=0.5, frames=frames))


def test_no_area_for_three_frames() -> None:
    assert spans([9, 0, 0, 0, 9], [1.0] * 5) == [Span(1, 3)]


def test_two_frames_are_not_enough() -> None:
    assert spans([9, 0, 0, 9, 9], [1.0] * 5) == []
    assert spans([9, 0, 0, 9, 9], [1.0] * 5, frames=2) == [Span(1, 2)]


def test_low_confidence_and_no_area_add_up() -> None:
    assert spans([9, 9, 0, 9, 9], [1.0, 0.4, 1.0, 0.3, 0.5]) == [Span(1, 3)]


def test_unknown_confidence_is_not_low() -> None:
    assert spans([9, 9, 9, 9], [None] * 4) == []


def test_lost_at_the_end_and_twice() -> None:
    assert spans([0, 0, 0, 9, 0, 0, 0], [1.0] * 7) == [Span(0, 2), Span(4, 6)]


def test_spans_count_from_the_first_frame_of_the_video() -> None:
    assert spans([9, 0, 0, 0], [1.0] * 4, first=10) == [Span(11, 13)]


def test_rule_is_checked() -> None:
    with pytest.raises(ValueError, match=r"expected confidence in 0..1 and frames >= 1; got 2, 3"):
        LostRule(confidence=2)
