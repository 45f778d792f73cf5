"""One object over the video: area and confidence per frame, and when it was lost."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class LostRule:
    """When an object counts as lost, and when it is back.

    It is lost after ``frames`` bad frames in a row: frames without area, or with a confidence below ``confidence``. It
    is back at the first frame that has an area and a confidence of at least ``back``. The two thresholds are a
    hysteresis: a confidence that fluctuates around one value gives one event instead of twenty.

    Attributes:
        confidence: below this (0..1) a frame counts as bad.
        frames: so many bad frames in a row make a loss, which begins at the first of them.
        back: from this confidence on a lost object is back.
        unsure: a stretch below this confidence that is not lost is reported as unsure.
    """

    confidence: float = 0.4
    frames: int = 3
    back: float = 0.5
    unsure: float = 0.6

    def __post_init__(self) -> None:
        if not 0 <= self.confidence <= self.back <= 1 or self.frames < 1:
            raise ValueError(
                f"expected 0 <= confidence <= back <= 1 and frames >= 1; "
                f"got {self.confidence}, {self.back}, {self.frames}"
            )

    def as_dict(self) -> dict[str, float]:
        """As report.json has it."""
        return {
            "confidence_below": self.confidence,
            "frames_in_a_row": self.frames,
            "back_from": self.back,
            "unsure_below": self.unsure,
        }


@dataclass(frozen=True)
class Span:
    """Frames ``first`` to ``last`` (both inclusive), counted as rows of the report."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


class ObjectTrack:
    """Area and confidence of one object from the frame where it enters; 16 bytes a frame.

    Attributes:
        number: the object id.
        first: the row (frame of the result) where the object enters.
        areas: pixels per frame from ``first`` on.
        confidences: 0..1 per frame from ``first`` on, NaN where unknown.
    """

    def __init__(self, number: int, first: int) -> None:
        self.number = number
        self.first = first
        self.areas = array("q")
        self.confidences = array("d")

    def add(self, area: int, confidence: float | None) -> None:
        """Append one frame."""
        self.areas.append(area)
        self.confidences.append(math.nan if confidence is None else float(confidence))

    def effective_confidences(self) -> Iterator[float]:
        """The confidence by which each frame is judged: 0 without area, the last known one where it is unknown.

        A frame that could not be decoded repeats the previous mask, and so its confidence.
        """
        known = 1.0
        for area, confidence in zip(self.areas, self.confidences, strict=True):
            if area and not math.isnan(confidence):
                known = confidence
            yield known if area else 0.0

    def lost_spans(self, rule: LostRule) -> list[Span]:
        """The stretches in which the object was lost (or out of sight), in order, by ``rule``."""
        empty = [area == 0 for area in self.areas]
        values = list(self.effective_confidences())
        spans: list[Span] = []
        bad = 0  # frames in a row
        lost = False
        for place, (value, gone) in enumerate(zip(values, empty, strict=True)):
            if lost and (gone or value < rule.back):
                spans[-1] = Span(spans[-1].first, self.first + place)
                continue
            lost, bad = False, bad + 1 if gone or value < rule.confidence else 0
            if bad == rule.frames:
                lost, bad = True, 0
                spans.append(Span(self.first + place - rule.frames + 1, self.first + place))
        return spans

    def unsure_spans(self, rule: LostRule) -> list[Span]:
        """The stretches below ``rule.unsure`` of ``rule.frames`` or more frames that do not overlap with a loss."""
        lost = self.lost_spans(rule)  # ascending, and apart from each other
        firsts = [span.first for span in lost]
        found = _runs(list(self.effective_confidences()), lambda value: value < rule.unsure, self.first)
        return [span for span in found if len(span) >= rule.frames and not _overlaps(span, lost, firsts)]


def _overlaps(span: Span, others: list[Span], firsts: list[int]) -> bool:
    """Whether a span shares a row with one of ``others``, whose first rows are ``firsts``."""
    place = bisect_right(firsts, span.last) - 1
    return place >= 0 and others[place].last >= span.first


def _runs(values: list[float], wanted: Callable[[float], bool], first: int) -> list[Span]:
    """The longest stretches of rows, counted from ``first``, in which every value is ``wanted``."""
    spans: list[Span] = []
    for row, value in enumerate(values, first):
        if not wanted(value):
            continue
        if spans and spans[-1].last == row - 1:
            spans[-1] = Span(spans[-1].first, row)
        else:
            spans.append(Span(row, row))
    return spans
