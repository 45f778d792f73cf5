"""Runs the jobs of a propagation as one edit that is safe at every moment."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from limpet.errors import LimpetError
from limpet.files import output_error
from limpet.project.edits import Draft
from limpet.project.folder import Folder
from limpet.project.frames import FrameAccess
from limpet.project.keys import Keys
from limpet.project.passes import Pass, TrackerLike
from limpet.project.propagate import Done, Job, run

SAVE_SECONDS = 30.0
"""What a crash costs at most: so often the frames that are done are committed."""
SCRATCH = ".pass-"

OnFrame = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Outcome:
    """What a propagation did.

    steps: of the tracker. frames: how many were written; those that are locked or given stay as they are.
    undecoded: frames without a picture, which repeat the mask beside them.
    """

    steps: int
    frames: int
    undecoded: tuple[int, ...]


def run_jobs(
    folder: Folder,
    tracker: TrackerLike,
    plan: Callable[[Draft], list[Job]],
    what: str,
    on_frame: OnFrame | None,
) -> Outcome:
    """Do all jobs of ``plan`` as one edit; without a frame that is written there is none.

    While it runs, what is done is committed every ``SAVE_SECONDS``, and once more when it is stopped.
    """
    draft = Draft(folder)
    jobs = plan(draft)
    name = getattr(tracker, "name", "")
    what = f"{what} with {name}" if name else what
    with folder.head.video.open(folder.path) as reader:
        frames = FrameAccess(reader)
        keys = Keys(draft.snapshot, draft.entry)
        running = _Running(draft, what, on_frame, _total(jobs, folder))
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

    def __init__(self, draft: Draft, what: str, on_frame: OnFrame | None, total: int | None) -> None:
        self._draft, self._what, self._on_frame, self._total = draft, what, on_frame, total
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
        if self.written and time.monotonic() - self._saved > SAVE_SECONDS:
            self._commit(complete=False)
        if self._on_frame is not None:
            self._on_frame(self.steps, self._total)

    def finish(self) -> None:
        if self.written:
            self._commit(complete=True)

    def stopped(self, reason: BaseException) -> None:
        """Keep what is done; never hide why it stopped."""
        if not self.written:
            return
        try:
            self._commit(complete=False)
        except LimpetError as error:
            reason.add_note(f"what was done since the last save is lost: {error}")
        else:
            reason.add_note(f"{self.written} frames are kept as one edit; go on with propagate, or undo it")

    def _commit(self, complete: bool) -> None:
        self._draft.commit("propagate", self._what, complete)
        self._saved = time.monotonic()


def _total(jobs: list[Job], folder: Folder) -> int | None:
    totals = [job.total(folder.head.video.frames) for job in jobs]
    return sum(total for total in totals if total is not None) if None not in totals else None
