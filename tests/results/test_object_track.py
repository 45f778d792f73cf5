"""When an object counts as lost."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.results.object_track import LostRule, ObjectTrack, Span


def spans(areas: list[int], confidences: list[float | None], first: int = 0, frames: int = 3) -> list[Span]:
    track = ObjectTrack(7, first)
    for area, confidence in zip(areas, confidences, strict=True):
        track.add(area, confidence)
    return track.lost_spans(LostRule(confidence=0.5, back=0.5, frames=frames))


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


def test_between_the_two_thresholds_nothing_changes() -> None:
    wavering = [1.0, 0.45, 0.3, 0.45, 0.3, 0.3, 0.45, 0.3, 0.49, 0.5, 0.45, 0.3, 0.45]
    track = ObjectTrack(7, 0)
    for confidence in wavering:
        track.add(9, confidence)
    assert track.lost_spans(LostRule(confidence=0.4, back=0.5, frames=2)) == [Span(4, 8)]
    assert track.lost_spans(LostRule(confidence=0.4, back=0.4, frames=2)) == [Span(4, 5)]


def test_without_area_it_is_not_back_whatever_the_confidence() -> None:
    assert spans([9, 0, 0, 0, 0, 9, 9], [1.0, 0.0, 0.0, 0.0, 0.9, 0.45, 0.5]) == [Span(1, 5)]


def test_an_unknown_frame_is_as_the_one_before() -> None:
    """A frame that cannot be decoded repeats the mask; a loss neither begins nor ends with it."""
    assert spans([9] * 6, [0.9, 0.1, None, None, 0.9, None]) == [Span(1, 3)]
    assert spans([9, 0, 0, 0, 9], [None] * 5) == [Span(1, 3)]


def test_unsure_stretches_are_apart_from_lost_ones() -> None:
    track = ObjectTrack(7, 10)
    for confidence in [0.9, 0.55, 0.5, 0.55, 0.9, 0.55, 0.2, 0.2, 0.2, 0.55, 0.9, 0.5, 0.5, 0.9]:
        track.add(9, confidence)
    rule = LostRule()
    assert track.lost_spans(rule) == [Span(16, 18)]
    assert track.unsure_spans(rule) == [Span(11, 13)], (
        "those that touch a loss and those of two frames are none"
    )


def test_rule_is_checked() -> None:
    with pytest.raises(
        ValueError, match=r"expected 0 <= confidence <= back <= 1 and frames >= 1; got 2, 0.5, 3"
    ):
        LostRule(confidence=2)
    with pytest.raises(ValueError, match=r"got 0.4, 0.3, 3"):
        LostRule(back=0.3)


def test_overlaps_are_those_of_a_plain_comparison() -> None:
    numbers = np.random.default_rng(0)
    for _ in range(200):
        track = ObjectTrack(1, int(numbers.integers(0, 5)))
        for confidence in numbers.choice([0.1, 0.45, 0.55, 0.9], 60):
            track.add(100, float(confidence))
        lost, unsure = track.lost_spans(LostRule()), track.unsure_spans(LostRule())
        rows = {row for span in lost for row in range(span.first, span.last + 1)}
        assert all(rows.isdisjoint(range(span.first, span.last + 1)) for span in unsure)
        values = [*track.effective_confidences(), 1.0]
        runs, begin = [], None
        for row, value in enumerate(values, track.first):
            if value < 0.6 and begin is None:
                begin = row
            elif value >= 0.6 and begin is not None:
                runs.append((begin, row - 1))
                begin = None
        expected = [
            run for run in runs if run[1] - run[0] >= 2 and rows.isdisjoint(range(run[0], run[1] + 1))
        ]
        assert [(span.first, span.last) for span in unsure] == expected
