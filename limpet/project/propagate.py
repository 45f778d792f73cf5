"""Following objects from key frames into the frames around them: forwards, backwards, and between two key frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limpet.files import atomic_path
from limpet.project.edits import Draft
from limpet.project.keys import Keys
from limpet.project.merge import Predicted, choose, compose
from limpet.project.passes import Pass
from limpet.video.masks import decode_mask, encode_mask


@dataclass(frozen=True)
class Job:
    """One stretch of a propagation.

    start: the key frame it begins at. objects: ids to follow; all others keep their pixels.
    stop: the last frame, included; before ``start`` it means backwards; None means to the end of the video.
    other: for a job between two key frames the later one; ``start`` is the earlier one, ``stop`` lies before ``other``.
    limits: object -> the key frame at which it ends, not included; objects that are missing go to ``stop``.
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
        """Steps of the tracker; None when the video's length is not known."""
        stop = frames - 1 if self.stop is None and frames is not None else self.stop
        if stop is None:
            return None
        return abs(stop - self.start) * (1 if self.other is None else 2)


@dataclass(frozen=True)
class Done:
    """A step of the tracker was made in ``frame``; ``written``: a mask came of it."""

    frame: int
    decoded: bool
    written: bool


def run(job: Job, draft: Draft, keys: Keys, passes: Pass, scratch: Path) -> Iterator[Done]:
    """Do a job; masks go into ``draft``. ``scratch`` is an empty folder for a pass that waits for the other."""
    return (
        _one_way(job, draft, keys, passes)
        if job.other is None
        else _between(job, draft, keys, passes, scratch)
    )


def one_way(
    keys: Keys, start: int, backwards: bool, objects: tuple[int, ...], stop: int | None = None
) -> Job:
    """From ``start``; without ``stop`` each object goes up to its next key frame."""
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
    """What is empty or stale behind the first key frame of each object; ``frames``: of the video, if counted.

    Objects with the same key frames share a job.
    """
    wanted: dict[tuple[int, int | None], list[int]] = {}
    for object_id in ids:
        own = keys.of(object_id)
        for left, right in zip(own, [*own[1:], None], strict=True):
            end = right if right is not None else frames
            if end is None or any(_lacks(draft, keys, f, object_id) for f in range(left + 1, end)):
                wanted.setdefault((left, right), []).append(object_id)
    return [
        Job(left, None if right is None else right - 1, tuple(objects), right)
        for (left, right), objects in sorted(wanted.items(), key=lambda item: (item[0][0], item[0][1] or -1))
    ]


def _lacks(draft: Draft, keys: Keys, frame: int, object_id: int) -> bool:
    if object_id in keys.at(frame):
        return False
    entry = draft.entry(frame)
    return entry is None or object_id not in entry.objects or keys.is_stale(frame, object_id)


def _one_way(job: Job, draft: Draft, keys: Keys, passes: Pass) -> Iterator[Done]:
    limits, onward = dict(job.limits), -1 if job.backwards else 1
    for predicted in passes.run(job.start, job.stop, job.objects):
        frame = predicted.frame
        active = [
            (i, predicted)
            for i in job.objects
            if i not in keys.at(frame) and (i not in limits or (limits[i] - frame) * onward > 0)
        ]
        sure = {i: predicted.sure(i) for i, _ in active}
        yield _write(draft, keys, predicted, active, sure, predicted)


def _between(job: Job, draft: Draft, keys: Keys, passes: Pass, scratch: Path) -> Iterator[Done]:
    left, right = job.start, job.other
    assert right is not None
    confidence = np.zeros((right - left, len(job.objects)), np.float32)
    decoded = np.zeros(right - left, bool)
    for predicted in passes.run(left, right - 1, job.objects, beyond=[right]):
        with atomic_path(scratch / f"{predicted.frame}.png") as temporary:
            temporary.write_bytes(encode_mask(predicted.labels))
        confidence[predicted.frame - left] = [predicted.sure(i) for i in job.objects]
        decoded[predicted.frame - left] = predicted.decoded
        yield Done(predicted.frame, predicted.decoded, written=False)
    for backwards in passes.run(right, left + 1, job.objects, beyond=[left]):
        row = backwards.frame - left
        path = scratch / f"{backwards.frame}.png"
        sure_forwards = dict(zip(job.objects, confidence[row].tolist(), strict=True))
        forwards = Predicted(
            backwards.frame, decode_mask(path.read_bytes()), sure_forwards, bool(decoded[row])
        )
        path.unlink()
        yield _merge(job, draft, keys, forwards, backwards)


def _merge(job: Job, draft: Draft, keys: Keys, forwards: Predicted, backwards: Predicted) -> Done:
    frame = forwards.frame
    free = [i for i in job.objects if i not in keys.at(frame)]
    before = {i: _within(job, keys.before(frame, i)) for i in free}
    after = {i: _within(job, keys.after(frame, i)) for i in free}
    chosen, sure = choose(forwards, backwards, before, after)
    nearer = forwards if 2 * frame <= job.start + (job.other or 0) else backwards
    return _write(draft, keys, forwards, chosen, sure, nearer)


def _within(job: Job, key: int | None) -> int | None:
    return key if key is not None and job.start <= key <= (job.other or 0) else None


def _write(
    draft: Draft,
    keys: Keys,
    seen: Predicted,
    chosen: list[tuple[int, Predicted]],
    sure: dict[int, float],
    filler: Predicted,
) -> Done:
    if not chosen:
        return Done(seen.frame, seen.decoded, written=False)
    present = draft.mask_or_empty(seen.frame)
    draft.put(seen.frame, compose(present, chosen, keys.at(seen.frame), filler.labels), sure)
    return Done(seen.frame, seen.decoded, written=True)
