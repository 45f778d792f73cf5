"""Which stretches of a video are to be propagated: one job each."""

from __future__ import annotations

from dataclasses import dataclass

from limpet.project.draft import Draft
from limpet.project.key_frames import Keys


@dataclass(frozen=True)
class Job:
    """One stretch of a propagation.

    start: the key frame it begins at. objects: ids to propagate; all others keep their pixels.
    stop: the last frame, inclusive; if it lies before ``start``, the job goes backwards; None: to the end of the video.
    other: for a job between two key frames the later one; ``start`` is the earlier one, ``stop`` lies before ``other``.
    limits: object -> the key frame before which it ends; objects that are not listed go to ``stop``.
    """

    start: int
    stop: int | None
    objects: tuple[int, ...]
    other: int | None = None
    limits: tuple[tuple[int, int], ...] = ()

    @property
    def backwards(self) -> bool:
        """Whether it goes towards the first frame."""
        return self.stop is not None and self.stop < self.start

    def total(self, frames: int | None) -> int | None:
        """How many steps the tracker makes; None if the length of the video is not known."""
        stop = frames - 1 if self.stop is None and frames is not None else self.stop
        if stop is None:
            return None
        return abs(stop - self.start) * (1 if self.other is None else 2)


def one_way(
    keys: Keys, start: int, backwards: bool, objects: tuple[int, ...], stop: int | None = None
) -> Job:
    """A job from ``start`` in one direction; without ``stop``, each object ends at its next key frame."""
    if stop is not None:
        return Job(start, stop, objects)
    nearest = keys.before if backwards else keys.after
    limits = {i: limit for i in objects if (limit := nearest(start, i)) is not None}
    onward = -1 if backwards else 1
    if len(limits) < len(objects):
        return Job(start, 0 if backwards else None, objects, limits=tuple(limits.items()))
    farthest = max(limits.values(), key=lambda limit: limit * onward)
    return Job(start, farthest - onward, objects, limits=tuple(limits.items()))


def all_jobs(keys: Keys, draft: Draft, ids: tuple[int, ...], frames: int | None) -> list[Job]:
    """Jobs for all that is empty, stale or lost after the first key frame of each object.

    Objects with the same key frames share a job.

    Args:
        frames: how many the video has, if they were counted.
    """
    before_first = _lost_before_first(keys, draft, ids)
    wanted: dict[tuple[int, int | None], list[int]] = {}
    for object_id in ids:
        own = keys.of(object_id)
        for left, right in zip(own, [*own[1:], None], strict=True):
            end = right if right is not None else frames
            if end is None or any(_lacks(draft, keys, f, object_id) for f in range(left + 1, end)):
                wanted.setdefault((left, right), []).append(object_id)
    return before_first + [
        Job(left, None if right is None else right - 1, tuple(objects), right)
        for (left, right), objects in sorted(wanted.items(), key=lambda item: (item[0][0], item[0][1] or -1))
    ]


def _lost_before_first(keys: Keys, draft: Draft, ids: tuple[int, ...]) -> list[Job]:
    """Empties all frames whose masks are lost; returns jobs for those that lie before the first key frame of an object.

    Raises:
        ProjectError: the mask of a key frame or of a locked frame is lost.
    """
    wanted: dict[tuple[int, int], list[int]] = {}
    for frame in sorted(draft.lost()):
        entry = draft.entry(frame)
        draft.mask(frame)
        for object_id in ids:
            first = keys.of(object_id)[0] if keys.of(object_id) else 0
            planned = any(object_id in objects for objects in wanted.values())
            if entry is not None and object_id in entry.objects and frame < first and not planned:
                wanted.setdefault((first, frame), []).append(object_id)
    return [Job(first, frame, tuple(objects)) for (first, frame), objects in sorted(wanted.items())]


def _lacks(draft: Draft, keys: Keys, frame: int, object_id: int) -> bool:
    if object_id in keys.at(frame):
        return False
    entry = draft.entry(frame)
    return entry is None or object_id not in entry.objects or keys.is_stale(frame, object_id)
