"""Propagates objects from key frames into other frames: forwards, backwards, and between two key frames.

A propagation is a list of jobs, which are done as one edit that can be interrupted at any moment.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from limpet.core.errors import LimpetError
from limpet.core.files import atomic_path, output_error
from limpet.core.masks import decode_mask, encode_mask
from limpet.core.tracker_protocol import AnyTracker
from limpet.project.draft import Draft
from limpet.project.folder import Folder
from limpet.project.frame_access import FrameAccess
from limpet.project.key_frames import Keys
from limpet.project.merge_passes import Predicted, choose, compose
from limpet.project.passes import Pass
from limpet.project.propagation_plan import Job


@dataclass(frozen=True)
class Done:
    """One finished step of the tracker, in ``frame``. written: whether a mask was written."""

    frame: int
    decoded: bool
    written: bool


def run(job: Job, draft: Draft, keys: Keys, passes: Pass, scratch: Path) -> Iterator[Done]:
    """Do a job; the masks go into ``draft``. scratch: an empty folder for a pass that waits for the other one."""
    return (
        _one_way(job, draft, keys, passes)
        if job.other is None
        else _between(job, draft, keys, passes, scratch)
    )


def _one_way(job: Job, draft: Draft, keys: Keys, passes: Pass) -> Iterator[Done]:
    limits, onward = dict(job.limits), -1 if job.backwards else 1
    for predicted in passes.run(job.start, job.stop, job.objects):
        frame = predicted.frame
        active = [
            (i, predicted)
            for i in job.objects
            if i not in keys.at(frame) and (i not in limits or (limits[i] - frame) * onward > 0)
        ]
        confidence = {i: predicted.confidence_of(i) for i, _ in active}
        yield _write(draft, keys, predicted, active, confidence, predicted)


def _between(job: Job, draft: Draft, keys: Keys, passes: Pass, scratch: Path) -> Iterator[Done]:
    left, right = job.start, job.other
    assert right is not None
    confidence = np.zeros((right - left, len(job.objects)), np.float32)
    decoded = np.zeros(right - left, bool)
    for predicted in passes.run(left, right - 1, job.objects, beyond=[right]):
        with atomic_path(scratch / f"{predicted.frame}.png") as temporary:
            temporary.write_bytes(encode_mask(predicted.labels))
        confidence[predicted.frame - left] = [predicted.confidence_of(i) for i in job.objects]
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
    chosen, confidence = choose(forwards, backwards, before, after)
    nearer = forwards if 2 * frame <= job.start + (job.other or 0) else backwards
    return _write(draft, keys, forwards, chosen, confidence, nearer)


def _within(job: Job, key: int | None) -> int | None:
    return key if key is not None and job.start <= key <= (job.other or 0) else None


def _write(
    draft: Draft,
    keys: Keys,
    seen: Predicted,
    chosen: list[tuple[int, Predicted]],
    confidence: dict[int, float],
    filler: Predicted,
) -> Done:
    if not chosen:
        return Done(seen.frame, seen.decoded, written=False)
    present = draft.mask_or_empty(seen.frame)
    draft.put(seen.frame, compose(present, chosen, keys.at(seen.frame), filler.labels), confidence)
    return Done(seen.frame, seen.decoded, written=True)


SAVE_SECONDS = 30.0
"""Interval at which finished frames are committed, and so the most that a crash can cost."""
SCRATCH = ".pass-"

OnFrame = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Reporting:
    """How a propagation saves and reports.

    save_seconds: interval at which finished frames are committed; None: ``SAVE_SECONDS``.
    on_step: called after each step of the tracker with what was done, the number of steps, and if known of all steps.
    """

    save_seconds: float | None = None
    on_step: Callable[[Done, int, int | None], None] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a propagation did.

    steps: of the tracker. frames: how many were written; those that are locked or given stay as they are.
    undecoded: frames without a picture, which repeat the mask of their neighbour.
    """

    steps: int
    frames: int
    undecoded: tuple[int, ...]


def run_jobs(
    folder: Folder,
    tracker: AnyTracker[Any],
    plan: Callable[[Draft], list[Job]],
    what: str,
    on_frame: OnFrame | None,
    reporting: Reporting | None = None,
) -> Outcome:
    """Do all jobs of ``plan`` as one edit; if no frame is written, there is no edit.

    Finished frames are committed every ``SAVE_SECONDS``, or as ``reporting`` says, and once more if it is stopped.
    """
    draft = Draft(folder)
    jobs = plan(draft)
    what = f"{what} with {tracker.name}" if tracker.name else what
    with folder.head.video.open(folder.path) as reader:
        frames = FrameAccess(reader)
        keys = Keys(draft.snapshot, draft.entry)
        running = _Running(draft, what, on_frame, _total(jobs, folder), reporting or Reporting())
        passes = Pass(tracker, frames, keys, draft.mask_or_empty)
        try:
            for job in jobs:
                running.do(job, keys, passes, folder.path)
        except BaseException as reason:
            running.stopped(reason)
            raise
        running.finish()
    if frames.counted is not None:
        folder.set_video(replace(folder.head.video, frames=frames.counted, exact=True))
    return Outcome(running.steps, running.written, tuple(sorted(running.undecoded)))


class _Running:
    """Counts, commits and reports while jobs run."""

    def __init__(
        self,
        draft: Draft,
        what: str,
        on_frame: OnFrame | None,
        total: int | None,
        reporting: Reporting,
    ) -> None:
        self._draft, self._what, self._on_frame, self._total = draft, what, on_frame, total
        seconds, self._on_step = reporting.save_seconds, reporting.on_step
        self._interval = SAVE_SECONDS if seconds is None else seconds
        self._saved = time.monotonic()
        self.steps = 0
        self.written = 0
        self.undecoded: set[int] = set()

    def do(self, job: Job, keys: Keys, passes: Pass, folder: Path) -> None:
        try:
            scratch = tempfile.TemporaryDirectory(prefix=SCRATCH, dir=folder, ignore_cleanup_errors=True)
        except OSError as error:
            raise output_error(error, folder) from error
        with scratch as name:
            for done in run(job, self._draft, keys, passes, Path(name)):
                self._count(done)

    def _count(self, done: Done) -> None:
        self.steps += 1
        self.written += done.written
        if not done.decoded:
            self.undecoded.add(done.frame)
        if self.written and time.monotonic() - self._saved > self._interval:
            self._commit(complete=False)
        if self._on_frame is not None:
            self._on_frame(self.steps, self._total)
        if self._on_step is not None:
            self._on_step(done, self.steps, self._total)

    def finish(self) -> None:
        if self.written:
            self._commit(complete=True)

    def stopped(self, reason: BaseException) -> None:
        """Commit what is done, and never hide why it was stopped."""
        if not self.written:
            return
        try:
            self._commit(complete=False)
        except LimpetError as error:
            reason.add_note(f"the frames since the last commit are lost: {error}")
        else:
            reason.add_note(
                f"{self.written} frames are kept as one edit; continue with propagate, or undo it"
            )

    def _commit(self, complete: bool) -> None:
        self._draft.commit("propagate", self._what, complete)
        self._saved = time.monotonic()


def _total(jobs: list[Job], folder: Folder) -> int | None:
    totals = [job.total(folder.head.video.frames) for job in jobs]
    return sum(total for total in totals if total is not None) if None not in totals else None
