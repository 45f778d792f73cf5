"""The timeline: statuses, lanes and confidences of all frames as runs, cheap for 100,000 frames; and their masks.

A page of a project (1,000 frames) is parsed into arrays once and remembered by its sha256, so that a change costs the
pages that it changed, and the rest is arithmetic on arrays.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.project.project_view import ProjectView
from limpet.project.snapshot import PAGE, Page
from limpet.results.object_track import LostRule

POINTS = 500
"""Confidences of a lane; each is the lowest of its stretch."""
LOOK_FIRST = 20
_STATUSES = ("empty", "propagated", "stale", "corrected", "locked", "unreadable")
_LANES = ("empty", "propagated", "stale", "given", "lost", "unsure")
_RULE = LostRule()

Versions = NDArray[np.int64]  # (frames,) number of the edit that wrote an object there; 0: not at all
Confidences = NDArray[np.float32]  # (frames,) 0..1; NaN where the object was not written


class PageArrays:
    """A page as arrays.

    masks: PAGE names, None where there is no mask. masked: bool (PAGE,). objects: id -> versions and confidences.
    """

    def __init__(self, page: Page, number: int) -> None:
        self.masks: list[str | None] = [None] * PAGE
        self.masked = np.zeros(PAGE, bool)
        self.objects: dict[int, tuple[Versions, Confidences]] = {}
        for frame, entry in page.items():
            row = frame - number * PAGE
            self.masked[row], self.masks[row] = True, entry.mask
            for object_id, (version, confidence) in entry.objects.items():
                if object_id not in self.objects:
                    self.objects[object_id] = np.zeros(PAGE, np.int64), np.full(PAGE, np.nan, np.float32)
                versions, confidences = self.objects[object_id]
                versions[row], confidences[row] = version, confidence


class Timeline:
    """Makes timelines of one project; remembers its pages."""

    def __init__(self) -> None:
        self._pages: dict[str, PageArrays] = {}

    def note_page(self, number: int, digest: str, page: Page) -> None:
        """A page that was read anyway."""
        self._pages[digest] = PageArrays(page, number)

    def masks(
        self, project: ProjectView, first: int, last: int
    ) -> tuple[dict[int, str | None], dict[int, dict[int, float]]]:
        """The names of the masks of some frames, and the confidences of the objects in those that have one."""
        names: dict[int, str | None] = dict.fromkeys(range(first, last + 1))
        confidences: dict[int, dict[int, float]] = {}
        for number in range(first // PAGE, last // PAGE + 1):
            digest = project.snapshot.pages.get(number)
            if digest is None or number in project.unreadable_pages:
                continue
            page, begin = self._page(project, number, digest), number * PAGE
            frames = range(max(first, begin), min(last + 1, begin + PAGE))
            rows = slice(frames.start - begin, frames.stop - begin)
            names.update(zip(frames, page.masks[rows], strict=True))
            confidences |= {frame: {} for frame in frames if names[frame] is not None}
            for object_id, (_, values) in sorted(page.objects.items()):
                known = np.flatnonzero(~np.isnan(values[rows]))
                rounded = values[rows][known].astype(float).round(3)
                for row, value in zip(known.tolist(), rounded.tolist(), strict=True):
                    confidences[frames[row]][object_id] = value
        return names, confidences

    def describe(
        self, project: ProjectView, frames: int, first: int = 0, last: int | None = None
    ) -> dict[str, Any]:
        """Runs of statuses, lanes of objects, and where to look first.

        Args:
            frames: of the video. first, last: the frames to describe.
        """
        stop = frames if last is None else min(frames, last + 1)
        first = min(max(first, 0), stop)
        snapshot, broken = project.snapshot, project.unreadable_pages
        masked = np.zeros(frames, bool)
        unreadable = np.zeros(frames, bool)
        versions = {i: np.zeros(frames, np.int64) for i in snapshot.objects}
        confidences = {i: np.full(frames, np.nan, np.float32) for i in snapshot.objects}
        for number, digest in snapshot.pages.items():
            place = slice(number * PAGE, min((number + 1) * PAGE, frames))
            if number in broken:
                unreadable[place] = True
                continue
            page = self._page(project, number, digest)
            rows = slice(0, place.stop - place.start)
            masked[place] = page.masked[rows]
            for object_id in versions.keys() & page.objects.keys():
                versions[object_id][place] = page.objects[object_id][0][rows]
                confidences[object_id][place] = page.objects[object_id][1][rows]
        self._forget_all_but(snapshot.pages.values())
        locked = np.zeros(frames, bool)
        for begin, end in snapshot.locked:
            locked[begin : end + 1] = True
        corrected = np.zeros(frames, bool)
        corrected[[frame for frame in snapshot.given if frame < frames]] = True
        lanes, moments, any_stale = {}, [], np.zeros(frames, bool)
        for object_id in sorted(snapshot.objects):
            given = [f for f, ids in sorted(snapshot.given.items()) if object_id in ids and f < frames]
            ends = [f for span in snapshot.locked for f in span if f < frames]
            stale = _stale(versions[object_id], sorted({*given, *ends})) & ~locked
            stale[given] = False
            any_stale |= stale
            lane, worst = _lane(versions[object_id], confidences[object_id], stale & masked, given)
            moments += [(missing, frame, object_id, why) for missing, frame, why in worst]
            lanes[str(object_id)] = {
                "spans": _runs(lane[first:stop], _LANES, first),
                "confidence": _curve(confidences[object_id][first:stop], first),
                "key_frames": [frame for frame in given if first <= frame < stop],
            }
        status = np.where(masked, 1, 0)
        status[masked & any_stale] = 2
        status[corrected], status[locked], status[unreadable] = 3, 4, 5
        moments.sort(key=lambda each: (-each[0], *each[1:3]))
        return {
            "frames": frames,
            "statuses": _runs(status[first:stop], _STATUSES, first),
            "lanes": lanes,
            "look_first": [[frame, object_id, why] for _, frame, object_id, why in moments[:LOOK_FIRST]],
        }

    def _page(self, project: ProjectView, number: int, digest: str) -> PageArrays:
        if digest not in self._pages:
            self.note_page(number, digest, project.page(number))
        return self._pages[digest]

    def _forget_all_but(self, digests: Iterable[str]) -> None:
        """A propagation replaces a page each second."""
        for digest in self._pages.keys() - set(digests):
            del self._pages[digest]


def _stale(versions: Versions, keys: list[int]) -> NDArray[np.bool_]:
    """Where a neighbouring key frame is newer; see ``limpet.project.key_frames.Keys.is_stale``."""
    if not keys:
        return np.zeros(len(versions), bool)
    frames, places = np.arange(len(versions)), np.array(keys)
    left = np.searchsorted(places, frames, side="left") - 1
    right = np.searchsorted(places, frames, side="right")
    own = versions[places]
    newer_left = (left >= 0) & (own[np.maximum(left, 0)] > versions)
    newer_right = (right < len(places)) & (own[np.minimum(right, len(places) - 1)] > versions)
    stale: NDArray[np.bool_] = (newer_left | newer_right) & ~((left < 0) & (versions == 0))
    return stale


def _lane(
    versions: Versions, confidences: Confidences, stale: NDArray[np.bool_], given: list[int]
) -> tuple[NDArray[np.int64], list[tuple[float, int, str]]]:
    """The kind of each frame as index of _LANES, and the stretches to look at: missing IoU, first frame, reason."""
    lane = np.where(versions > 0, 1, 0)
    worst = []
    low = np.nan_to_num(confidences, nan=1.0)
    doubtful = (low < _RULE.unsure) & (versions > 0)
    for begin, end in _stretches(doubtful):
        if end - begin < _RULE.frames:
            continue
        lost = bool((low[begin:end] < _RULE.confidence).sum() >= _RULE.frames)
        lane[begin:end] = 4 if lost else 5
        mean = float(low[begin:end].mean())
        why = f"{'lost' if lost else 'unsure'}: confidence {mean:.2f} over {end - begin} frames"
        worst.append((float((1 - low[begin:end]).sum()), int(begin), why))
    lane[stale] = 2
    lane[given] = 3
    return lane, worst


def _stretches(wanted: NDArray[np.bool_]) -> Iterable[tuple[int, int]]:
    """First index and the index after the last one of each run of True."""
    edges = np.flatnonzero(np.diff(wanted.astype(np.int8), prepend=0, append=0))
    return [(int(begin), int(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def _runs(kinds: NDArray[np.int64], names: tuple[str, ...], first: int) -> list[list[Any]]:
    if not len(kinds):
        return []
    begins = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist()]
    ends = [*begins[1:], len(kinds)]
    return [
        [first + begin, first + end - 1, names[int(kinds[begin])]]
        for begin, end in zip(begins, ends, strict=True)
    ]


def _curve(confidences: Confidences, first: int) -> list[list[float]]:
    """At most POINTS of [frame, confidence]: of each stretch the lowest."""
    places = np.flatnonzero(~np.isnan(confidences))
    if not len(places):
        return []
    found = []
    for group in np.array_split(places, min(POINTS, len(places))):
        lowest = group[int(np.argmin(confidences[group]))]
        found.append([first + int(lowest), round(float(confidences[lowest]), 3)])
    return found
