"""Where to look first: the few moments of a video that a person should check, instead of watching all of it.

A moment is a stretch in which an object was lost or the tracker was unsure of it. Moments are ranked by the IoU that is
expected to be missing, summed over their frames: a long loss comes before a short one, a certain loss before a doubt.
A correction at the first frame of a moment also improves the frames after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from limpet.results.object_track import LostRule, ObjectTrack, Span

MAX_MOMENTS = 20
"""Moments in a report; a video with more needs more than a few corrections."""
Kind = Literal["lost", "unsure"]
NO_AREA, LOW_CONFIDENCE = "no area", "low confidence"


@dataclass(frozen=True)
class Moment:
    """One stretch of frames of one object. ``str`` describes it in one sentence.

    object: its id. kind: "lost" or "unsure". why: NO_AREA or LOW_CONFIDENCE, at the first frame.
    frame, seconds: where it begins. last_frame: the last of the stretch.
    back: the frame after it; None when the video ends before.
    confidence: the mean over the stretch. missing: the IoU expected to be missing, summed over its frames.
    """

    object: int
    kind: Kind
    why: str
    frame: int
    seconds: float
    last_frame: int
    back: int | None
    confidence: float
    missing: float

    def __str__(self) -> str:
        begin = f"object {self.object} {self.kind} at {clock(self.seconds)} (frame {self.frame})"
        if self.back is None:
            return f"{begin} to the end"
        return f"{begin}, {'back' if self.kind == 'lost' else 'sure again'} at frame {self.back}"


def moments(
    tracks: Iterable[ObjectTrack], rule: LostRule, times: Sequence[float], first_index: int
) -> list[Moment]:
    """The worst moments of all objects, the worst first; at most ``MAX_MOMENTS``.

    Args:
        tracks: of each object. times: seconds of each row. first_index: index of the first row's frame.
    """
    found: list[Moment] = []
    for track in tracks:
        values = list(track.effective_confidences())  # once: a long video has thousands of stretches
        stretches: list[tuple[Kind, Span]] = [("lost", span) for span in track.lost_spans(rule)]
        stretches += [("unsure", span) for span in track.unsure_spans(rule)]
        for kind, span in stretches:
            begin = span.first - track.first
            own = values[begin : begin + len(span)]
            found.append(_moment(track, kind, span, own, times, first_index))
    return sorted(found, key=lambda each: (-each.missing, each.frame, each.object))[:MAX_MOMENTS]


def why(track: ObjectTrack, span: Span) -> str:
    """Whether an object had no area as the stretch began, or a low confidence."""
    return NO_AREA if track.areas[span.first - track.first] == 0 else LOW_CONFIDENCE


def clock(seconds: float) -> str:
    """``00:03.2``; from an hour on ``1:00:03.2``."""
    tenths = round(seconds * 10)
    hours, tenths = divmod(tenths, 36_000)
    minutes, tenths = divmod(tenths, 600)
    text = f"{minutes:02d}:{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{text}" if hours else text


def _moment(
    track: ObjectTrack,
    kind: Kind,
    span: Span,
    values: Sequence[float],
    times: Sequence[float],
    first_index: int,
) -> Moment:
    """The moment of a stretch. values: the confidences of its frames."""
    return Moment(
        object=track.number,
        kind=kind,
        why=why(track, span),
        frame=span.first + first_index,
        seconds=round(times[span.first], 3),
        last_frame=span.last + first_index,
        back=span.last + 1 + first_index if span.last + 1 < len(times) else None,
        confidence=round(sum(values) / len(values), 4),
        missing=round(sum(1 - value for value in values), 3),
    )
