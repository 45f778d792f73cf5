"""The report of a tracked video: what happened to each object. The dataclasses have the fields of ``report.json``.

docs/report.md explains every field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any, Literal

from limpet.results.moments import Moment
from limpet.results.object_track import LostRule
from limpet.video.video_reader import ReadFailure

SCHEMA_VERSION = 3
MADE_BY = "limpet"
"""Value of ``made_by`` in report.json, by which a folder is recognised as a result of limpet."""
CONFIDENCE = "expected IoU with the true mask"
REPORT_FILES = ("report.json", "report.html", "report.png")
_MAX_POINTS = 500
"""More points of a curve than this are not visible at the width of a report."""


@dataclass(frozen=True)
class ObjectEvent:
    """An object is lost, or back. frame, seconds: where. why: "no area" or "low confidence"; None for "back"."""

    event: Literal["lost", "back"]
    frame: int
    seconds: float
    why: str | None = None


@dataclass(frozen=True)
class ObjectReport:
    """One object. ``area``, ``share`` and ``confidence`` have one entry per frame from ``first_frame`` on.

    colour: in the pictures, "#rrggbb". area: pixels. share: of the picture, 0..1. confidence: 0..1, None where unknown.
    lost, unsure: stretches [first frame, last frame], both inclusive.
    """

    id: int
    colour: str
    first_frame: int
    area: list[int]
    share: list[float]
    confidence: list[float | None]
    lost: list[tuple[int, int]]
    unsure: list[tuple[int, int]]
    events: list[ObjectEvent]

    @property
    def lost_frames(self) -> int:
        """In how many frames it is lost."""
        return sum(last - first + 1 for first, last in self.lost)

    @property
    def unsure_frames(self) -> int:
        """In how many frames the tracker is unsure of it."""
        return sum(last - first + 1 for first, last in self.unsure)


@dataclass(frozen=True)
class VideoReport:
    """report.json. It does not say when and how fast it was made: the same input gives the same bytes."""

    made_by: str
    schema_version: int
    limpet_version: str
    complete: bool
    stopped_by: str | None
    source: str | None
    model: str | None
    weights_sha256: str | None
    calibrated: bool | None
    info: Mapping[str, Any]
    size: tuple[int, int] | None
    frame_rate: float | None
    frames: int
    first_frame: int
    confidence_means: str
    lost_rule: LostRule
    look_first: list[Moment]
    times: list[float]
    problems: list[str]
    undecoded_frames: list[int]
    failures: list[ReadFailure]
    notices: list[str]
    objects: list[ObjectReport]

    @property
    def title(self) -> str:
        """What pages call it."""
        return self.source or "Tracked video"

    def to_json(self) -> str:
        """The text of report.json."""
        return json.dumps(vars(self), allow_nan=False, default=_plain) + "\n"


def reduce_points(
    values: Sequence[float | None], pick: Callable[[list[float]], float]
) -> list[tuple[float, float | None]]:
    """A curve for drawing: (position, value) pairs, at most ``_MAX_POINTS``; ``pick`` (min or max) reduces each bin.

    A bin in which nothing is known has the value None.
    """
    step = max(1, math.ceil(len(values) / _MAX_POINTS))
    points: list[tuple[float, float | None]] = []
    for begin in range(0, len(values), step):
        known = [value for value in values[begin : begin + step] if value is not None]
        middle = begin + (min(step, len(values) - begin) - 1) / 2
        points.append((middle, pick(known) if known else None))
    return points


def _plain(value: object) -> object:
    """What JSON holds in place of something it does not know."""
    if isinstance(value, LostRule):
        return value.as_dict()
    return vars(value) if is_dataclass(value) else str(value)
