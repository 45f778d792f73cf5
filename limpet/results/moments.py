"""Where to look first: the few moments of a video that a person should see, so that nobody need watch all of it.

A moment is a stretch in which an object was lost or the tracker was unsure of it. What is bad about it is the IoU that
it can be expected to lack, summed over its frames: a long loss comes before a short one, a certain one before a doubt.
A correction at its first frame mends the frames after it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from limpet.results.object_track import LostRule, ObjectTrack, Span

MOST = 20
"""Moments in a report; beyond them the video needs more than a few corrections."""
LOST, UNSURE = "lost", "unsure"
NO_AREA, LOW = "no area", "low confidence"


def moments(
    tracks: Iterable[ObjectTrack], rule: LostRule, times: Sequence[float], first_index: int
) -> list[dict[str, Any]]:
    """The worst moments of all objects, the worst first; at most ``MOST``.

    Args:
        tracks: of each object. times: seconds of each row. first_index: index of the first row's frame.

    Returns:
        Plain data: object, kind ("lost" or "unsure"), why, first and last frame, seconds of the first, frame where
        it is back (None: never), the mean confidence, and the missing IoU in frames.
    """
    found = [
        _moment(track, kind, span, times, first_index)
        for track in tracks
        for kind, spans in ((LOST, track.lost_spans(rule)), (UNSURE, track.unsure_spans(rule)))
        for span in spans
    ]
    return sorted(found, key=lambda each: (-each["missing"], each["frame"], each["object"]))[:MOST]


def _moment(
    track: ObjectTrack, kind: str, span: Span, times: Sequence[float], first_index: int
) -> dict[str, Any]:
    begin = span.first - track.first
    values = list(track.sure())[begin : begin + len(span)]
    return {
        "object": track.number,
        "kind": kind,
        "why": why(track, span),
        "frame": span.first + first_index,
        "seconds": round(times[span.first], 3),
        "last_frame": span.last + first_index,
        "back": span.last + 1 + first_index if span.last + 1 < len(times) else None,
        "confidence": round(sum(values) / len(values), 4),
        "missing": round(sum(1 - value for value in values), 3),
    }


def why(track: ObjectTrack, span: Span) -> str:
    """Whether an object had no area as the stretch began, or a low confidence."""
    return NO_AREA if track.areas[span.first - track.first] == 0 else LOW


def in_words(moment: dict[str, Any]) -> str:
    """``object 2 lost at 00:03.2 (frame 77), back at frame 91``."""
    place = (
        f"object {moment['object']} {moment['kind']} at {clock(moment['seconds'])} (frame {moment['frame']})"
    )
    if moment["back"] is None:
        return f"{place} to the end"
    return f"{place}, {'back' if moment['kind'] == LOST else 'sure again'} at frame {moment['back']}"


def clock(seconds: float) -> str:
    """``00:03.2``; from an hour on ``1:00:03.2``."""
    tenths = round(seconds * 10)
    hours, rest = divmod(tenths, 36_000)
    minutes, rest = divmod(rest, 600)
    text = f"{minutes:02d}:{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{text}" if hours else text
