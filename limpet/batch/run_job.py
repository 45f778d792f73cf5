"""What a worker does with a job: ``limpet.track`` into the job's own folder, from where an earlier try stopped."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from limpet.batch.job import BatchJob, JobTask, OnFrames
from limpet.batch.job_settings import LOAD, JobSettings
from limpet.batch.ledger import JobOutcome
from limpet.core.errors import LimpetError, OutputError
from limpet.core.json_text import read_json, whole_number
from limpet.core.limits import limits
from limpet.core.saved_records import record_from
from limpet.core.tracker_protocol import AnyTracker
from limpet.results.moments import Moment
from limpet.results.run_folder import RunFolder, is_blank
from limpet.tracking.track_video import track

MakeTracker = Callable[[JobSettings, str], AnyTracker[Any]]
PATIENCE = 30.0
"""Seconds to wait for an earlier worker of the same job, which ends once it notices that its batch is gone."""
_SHOWN = 3
"""Moments to look at that are kept of a job; the others are in its report."""


class TrackerShelf:
    """The tracker that a worker used last, so that jobs with the same model load it once.

    Args:
        make: makes a tracker from settings, on a device.
        device: of all trackers.
    """

    def __init__(self, make: MakeTracker, device: str) -> None:
        self._make, self._device = make, device
        self._settings: JobSettings | None = None
        self._tracker: AnyTracker[Any] | None = None

    def find(self, settings: JobSettings) -> AnyTracker[Any]:
        """A tracker with these settings. Raises LimpetError."""
        settings = replace(settings, resize_mask=False, overlay=True, max_frames=None, max_seconds=None)
        if self._tracker is None or settings != self._settings:
            self._tracker = None  # two models may not fit
            self._tracker, self._settings = self._make(settings, self._device), settings
        return self._tracker


def load_tracker(settings: JobSettings, device: str) -> AnyTracker[Any]:
    """The tracker that ``limpet track`` would use. Raises LimpetError."""
    if settings.bundle is not None:
        from limpet.runtime.exported_tracker import load_exported

        return load_exported(settings.bundle, runtime=settings.runtime, precision=settings.precision)
    arguments = {name: getattr(settings, name) for name in (*LOAD, "precision")}
    arguments["memory_budget_mb"] = arguments.pop("memory_budget")
    from limpet.tracking.load import load  # brings torch along

    return load(arguments.pop("model"), device=device, **arguments)


def run_job(task: JobTask, on_frames: OnFrames, shelf: TrackerShelf) -> JobOutcome:
    """Do a job. An error ends it, and nothing else: the outcome says which."""
    try:
        return _track(task, on_frames, shelf)
    except LimpetError as error:
        return JobOutcome("failed", error.command_line_message)
    except Exception as error:
        traceback.print_exc()  # into the worker's log
        return JobOutcome("failed", f"{type(error).__name__}: {error}", again=True)


def _track(task: JobTask, on_frames: OnFrames, shelf: TrackerShelf) -> JobOutcome:
    job, folder = task.job, Path(task.folder)
    _wait_for_earlier_worker(folder)
    resumable = job.settings.bundle is None  # exported trackers save no states: an earlier try is of no use
    again = task.start_again or not (resumable or is_blank(folder))
    mask, add = job.masks_of_track
    track(
        job.video,
        mask,
        folder,
        tracker=partial(shelf.find, job.settings),  # called once the input has been checked
        add=add,
        overwrite=again,
        resume=resumable and not again,
        resize_mask=job.settings.resize_mask,
        overlay=job.settings.overlay,
        max_frames=job.settings.max_frames,
        max_seconds=job.settings.max_seconds,
        on_frame=on_frames,
    )
    return outcome_in(folder, job)


def outcome_in(folder: Path, job: BatchJob) -> JobOutcome:
    """The outcome of a job that reached its end, from its report; it is the same however often it was resumed.

    Raises:
        OutputError: the report is damaged.
    """
    path = folder / "report.json"
    try:
        report = read_json(path, limits().json_bytes)
        problems = [str(problem) for problem in report["problems"]]
        return JobOutcome(
            "partly" if problems else "done",
            "; ".join(problems),
            whole_number(report["frames"], "frames", 0, limits().frames),
            tuple(int(item["id"]) for item in report["objects"]),
            tuple(int(item["id"]) for item in report["objects"] if item["lost"]),
            tuple(str(record_from(Moment, each)) for each in report["look_first"][:_SHOWN]),
        )
    except (ArithmeticError, KeyError, OSError, TypeError, ValueError) as error:
        raise OutputError(f"{path} is not as limpet writes it ({error!r}); track the video again") from error


def _wait_for_earlier_worker(folder: Path) -> None:
    """Wait until no other process writes to a folder of results."""
    run = RunFolder(folder)
    until = time.monotonic() + PATIENCE
    while run.path.is_dir():
        try:
            run.lock()
            return
        except OutputError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        finally:
            run.release()
