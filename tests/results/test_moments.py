"""Where to look first: the order of moments, and the sentences that describe them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from limpet.results.moments import MAX_MOMENTS, Moment, clock, moments
from limpet.results.object_track import LostRule, ObjectTrack

RULE = LostRule()


def track_of(number: int, confidences: list[float], first: int = 0) -> ObjectTrack:
    track = ObjectTrack(number, first)
    for confidence in confidences:
        track.add(100 if confidence else 0, confidence)
    return track


def test_the_worst_comes_first() -> None:
    tracks = [
        track_of(1, [1.0] * 4 + [0.5] * 3 + [1.0] * 13),
        track_of(2, [1.0] * 2 + [0.0] * 4 + [1.0] * 4 + [0.3] * 10),
    ]
    found = moments(tracks, RULE, [row / 10 for row in range(20)], 100)
    assert [(each.object, each.kind, each.frame) for each in found] == [
        (2, "lost", 110),
        (2, "lost", 102),
        (1, "unsure", 104),
    ]
    worst, second, doubt = found
    assert (worst.why, worst.last_frame, worst.back) == ("low confidence", 119, None)
    assert worst.missing == pytest.approx(7.0) and worst.confidence == pytest.approx(0.3)
    assert (second.why, second.last_frame, second.back) == ("no area", 105, 106)
    assert (second.seconds, second.missing, second.confidence) == (0.2, 4.0, 0.0)
    assert doubt.missing == pytest.approx(1.5) and doubt.back == 107


def test_an_object_that_enters_later_is_counted_from_there() -> None:
    (found,) = moments([track_of(5, [0.9, 0.1, 0.1, 0.1, 0.8], first=3)], RULE, [0.0] * 8, 0)
    assert (found.frame, found.last_frame, found.back) == (4, 6, 7)


def test_a_steady_video_has_none_and_a_bad_one_not_too_many() -> None:
    assert moments([track_of(1, [0.9] * 50)], RULE, [0.0] * 50, 0) == []
    bad = [track_of(number, [1.0, *[0.1] * 5, 1.0]) for number in range(1, 40)]
    assert [each.object for each in moments(bad, RULE, [0.0] * 7, 0)] == list(range(1, MAX_MOMENTS + 1))


def test_a_moment_is_a_sentence() -> None:
    moment = Moment(2, "lost", "no area", 77, 3.2, 90, 91, 0.0, 14.0)
    assert str(moment) == "object 2 lost at 00:03.2 (frame 77), back at frame 91"
    assert str(replace(moment, back=None)) == "object 2 lost at 00:03.2 (frame 77) to the end"
    unsure = replace(moment, kind="unsure")
    assert str(unsure) == "object 2 unsure at 00:03.2 (frame 77), sure again at frame 91"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00.0"), (59.96, "01:00.0"), (754.25, "12:34.2"), (3723.4, "1:02:03.4")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_the_work_does_not_grow_with_the_square_of_the_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long video has thousands of stretches; the confidences of a track are read a few times, not for each."""
    track = track_of(1, [0.9, 0.55, 0.55, 0.55, 0.9, 0.1, 0.1, 0.1] * 2500)
    asked = []
    original = ObjectTrack.effective_confidences
    monkeypatch.setattr(ObjectTrack, "effective_confidences", lambda self: asked.append(1) or original(self))
    found = moments([track], RULE, [row / 25 for row in range(20_000)], 0)
    assert len(found) == MAX_MOMENTS and len(asked) <= 5
