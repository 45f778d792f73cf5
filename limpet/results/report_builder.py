"""Collects the report of a video while frames go by, and writes it: ``report.json``, a page and a picture."""

from __future__ import annotations

import importlib.metadata
import math
from array import array
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from limpet.core.files import atomic_path
from limpet.core.tracker_protocol import checked_confidence
from limpet.results.filmstrip import Filmstrip
from limpet.results.moments import Moment, moments, why
from limpet.results.object_track import LostRule, ObjectTrack, Span
from limpet.results.report_page import render_page
from limpet.results.report_picture import draw_picture
from limpet.results.video_report import (
    CONFIDENCE,
    MADE_BY,
    SCHEMA_VERSION,
    ObjectEvent,
    ObjectReport,
    VideoReport,
)
from limpet.video.video_reader import ReadFailure
from limpet.visual.overlay import object_colour

_OWN_FIELDS = ("source", "model", "weights_sha256", "calibrated")
"""Facts in ``info`` that are fields of the report."""


class ReportBuilder:
    """Collects what a report needs while frames go by; holds a few small pictures, never the video.

    Args:
        size: (H, W) of the frames in pixels, or None until the first frame.
        frame_rate: frames per second of the video, for the record.
        object_ids: objects known from the first frame on; others enter when they appear.
        info: what else to record: "model", "weights_sha256", "source", "calibrated" ... (anything JSON can hold).
        rule: when an object counts as lost.
    """

    def __init__(
        self,
        *,
        size: tuple[int, int] | None = None,
        frame_rate: Fraction | None = None,
        object_ids: Sequence[int] = (),
        info: Mapping[str, Any] | None = None,
        rule: LostRule | None = None,
    ) -> None:
        self.size = size
        self.frame_rate = frame_rate
        self.info = dict(info or {})
        self.rule = rule or LostRule()
        self.tracks = {int(number): ObjectTrack(int(number), 0) for number in object_ids}
        self.first_index = 0
        self.times = array("d")
        self.undecoded: list[int] = []
        self.failures: list[ReadFailure] = []
        self.notices: list[str] = []
        self.strip = Filmstrip()
        self.complete = False
        self.stopped_by: str | None = None
        self.problems: list[str] = []

    @property
    def frames(self) -> int:
        """How many frames were added."""
        return len(self.times)

    def add(
        self,
        index: int,
        frame_time: float,
        mask: NDArray[np.uint8],
        confidence: Mapping[int, float],
        *,
        decoded: bool = True,
    ) -> None:
        """Record one frame by its mask, uint8 (H, W) of object ids; the rest is as for ``add_areas``."""
        self.size = self.size or (mask.shape[0], mask.shape[1])
        self.add_areas(index, frame_time, areas_of(mask), confidence, decoded=decoded)

    def add_areas(
        self,
        index: int,
        frame_time: float,
        areas: Mapping[int, int],
        confidence: Mapping[int, float],
        *,
        decoded: bool = True,
    ) -> None:
        """Record one frame.

        Args:
            index: the frame's position in the video; the first may be any, then one after another.
            frame_time: seconds since the first frame.
            areas: pixels of each visible object.
            confidence: 0..1 for each object; objects that are missing count as unknown.
            decoded: False when the frame had no picture and the mask repeats the previous one.

        Raises:
            ValueError: a frame was left out, or its time is not a number.
        """
        if not math.isfinite(frame_time):
            raise ValueError(f"the time of frame {index} is {frame_time}; expected seconds")
        if not self.times:
            self.first_index = index
        if index != self.first_index + self.frames:
            raise ValueError(
                f"expected frame {self.first_index + self.frames}, got {index}; add every frame in order"
            )
        known = {*self.tracks, *(int(number) for number in confidence), *areas}
        for number in sorted(known):
            track = self.tracks.setdefault(number, ObjectTrack(number, self.frames))
            known_to_be = confidence.get(number) if decoded else None
            track.add(
                areas.get(number, 0), None if known_to_be is None else checked_confidence(number, known_to_be)
            )
        if not decoded:
            self.undecoded.append(index)
        self.times.append(frame_time)

    def end(self, error: BaseException | None) -> None:
        """No more frames come: all have been tracked, or ``error`` stopped it.

        It is complete only if nothing in ``problems`` leaves a part of the task undone; where the video ends too early,
        that is added to them.
        """
        if error is None:
            ends = [str(failure) for failure in self.failures if failure.ends_video]
            self.problems[:0] = [end for end in ends if end not in self.problems]
        self.complete = error is None and not self.problems
        self.stopped_by = "; ".join(self.problems) or None
        if error is not None:
            interrupted = isinstance(error, KeyboardInterrupt)
            self.stopped_by = "interrupted" if interrupted else f"{error}" or type(error).__name__

    def build(self) -> VideoReport:
        """The report of the frames so far."""
        return VideoReport(
            made_by=MADE_BY,
            schema_version=SCHEMA_VERSION,
            limpet_version=_version(),
            complete=self.complete,
            stopped_by=self.stopped_by,
            source=self.info.get("source"),
            model=self.info.get("model"),
            weights_sha256=self.info.get("weights_sha256"),
            calibrated=self.info.get("calibrated"),
            info={key: value for key, value in self.info.items() if key not in _OWN_FIELDS},
            size=self.size,
            frame_rate=float(self.frame_rate) if self.frame_rate else None,
            frames=self.frames,
            first_frame=self.first_index,
            confidence_means=CONFIDENCE,
            lost_rule=self.rule,
            look_first=self.look_first(),
            times=[round(moment, 6) for moment in self.times],
            problems=list(self.problems),
            undecoded_frames=list(self.undecoded),
            failures=list(self.failures),
            notices=list(self.notices),
            objects=[self._object(self.tracks[number]) for number in sorted(self.tracks)],
        )

    def look_first(self) -> list[Moment]:
        """The worst moments of all objects, the worst first; see ``moments``."""
        tracks = [self.tracks[number] for number in sorted(self.tracks)]
        return moments(tracks, self.rule, self.times, self.first_index)

    def write(self, folder: Path) -> None:
        """Write report.json, report.html and report.png into ``folder``, each atomically.

        Raises:
            OutputError: one cannot be written.
        """
        report, stills = self.build(), self.strip.thumbnails()
        _write(folder / "report.json", report.to_json())
        _write(folder / "report.html", render_page(report, stills))
        with atomic_path(folder / "report.png", sole_writer=True) as temporary:
            draw_picture(report, stills).save(temporary, format="PNG")

    def write_json(self, folder: Path) -> None:
        """Write report.json alone. Raises OutputError."""
        _write(folder / "report.json", self.build().to_json())

    def _object(self, track: ObjectTrack) -> ObjectReport:
        height, width = self.size or (0, 0)
        spans = track.lost_spans(self.rule)
        return ObjectReport(
            id=track.number,
            colour="#{:02x}{:02x}{:02x}".format(*object_colour(track.number)),
            first_frame=track.first + self.first_index,
            area=track.areas.tolist(),
            share=[round(area / (height * width), 6) for area in track.areas],
            confidence=[None if math.isnan(value) else round(value, 4) for value in track.confidences],
            lost=self._frames(spans),
            unsure=self._frames(track.unsure_spans(self.rule)),
            events=[event for span in spans for event in self._events(span, track)],
        )

    def _frames(self, spans: Sequence[Span]) -> list[tuple[int, int]]:
        return [(span.first + self.first_index, span.last + self.first_index) for span in spans]

    def _events(self, span: Span, track: ObjectTrack) -> list[ObjectEvent]:
        events = [self._event("lost", span.first, why(track, span))]
        if span.last + 1 < self.frames:
            events.append(self._event("back", span.last + 1))
        return events

    def _event(self, kind: Literal["lost", "back"], row: int, reason: str | None = None) -> ObjectEvent:
        return ObjectEvent(kind, row + self.first_index, round(self.times[row], 3), reason)


def areas_of(mask: NDArray[np.uint8]) -> dict[int, int]:
    """Pixels of each object in a mask (H, W); those without any are left out."""
    counts = np.bincount(mask.ravel(), minlength=256)
    return {number: int(counts[number]) for number in np.flatnonzero(counts).tolist() if number > 0}


def _write(path: Path, text: str) -> None:
    with atomic_path(path, sole_writer=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _version() -> str:
    try:
        return importlib.metadata.version("limpet")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
