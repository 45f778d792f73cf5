"""What is known of one object over the video: area and confidence per frame, and when it was lost."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass


@dataclass(frozen=True)
class LostRule:
    """When an object counts as lost: no area, or a low confidence, for some frames in a row.

    Attributes:
        confidence: below this (0..1) a frame counts as bad.
        frames: so many bad frames in a row make a loss, which then begins at the first of them.
    """

    confidence: float = 0.5
    frames: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.confidence <= 1 or self.frames < 1:
            raise ValueError(
                f"expected confidence in 0..1 and frames >= 1; got {self.confidence}, {self.frames}"
            )


@dataclass(frozen=True)
class Span:
    """Frames ``first`` to ``last`` (both inside), counted as rows of the report."""

    first: int
    last: int


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

    def lost_spans(self, rule: LostRule) -> list[Span]:
        """The stretches where the object was lost (or out of sight), in order, by ``rule``."""
        spans: list[Span] = []
        start: int | None = None
        for row, (area, confidence) in enumerate(zip(self.areas, self.confidences, strict=True), self.first):
            bad = area == 0 or confidence < rule.confidence  # NaN compares false: unknown is not bad
            if bad and start is None:
                start = row
            if not bad and start is not None:
                spans.append(Span(start, row - 1))
                start = None
        if start is not None:
            spans.append(Span(start, self.first + len(self.areas) - 1))
        return [span for span in spans if span.last - span.first + 1 >= rule.frames]
