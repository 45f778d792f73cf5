"""Resuming a run of ``track`` that was killed: from which frame, and with which state."""

from __future__ import annotations

import importlib.metadata
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from limpet.core.errors import Option, OutputError
from limpet.results.journal import ROW, FrameRecord
from limpet.results.result_folder import ResultFolder
from limpet.results.run_folder import RunFolder, is_unfinished
from limpet.state import TrackerState
from limpet.tracking.run_settings import check_same, differences
from limpet.tracking.state_checkpoints import Checkpoints, latest
from limpet.tracking.tracker import Tracker
from limpet.video.video_reader import Frame, VideoReader

_BLOCK = 1 << 20
Environment = dict[str, str | int]
_LIBRARIES = ("limpet", "torch", "numpy", "av", "opencv-python-headless", "pillow")
_START_AGAIN = ("; pass ", Option("overwrite"), " to start again from the first frame")


@dataclass(frozen=True)
class ResumePoint:
    """Where a run is resumed.

    rows: of all finished frames. state: of the tracker after the last of them. end: bytes of the journal so far.
    environment: what the frames were computed with.
    """

    rows: tuple[FrameRecord, ...]
    state: TrackerState
    end: int
    environment: Environment


def environment_of(tracker: Tracker) -> Environment:
    """What may change the last bits of a result: versions of libraries, the processor, the number of threads."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "unknown"
    on_gpu = tracker.device.type == "cuda"
    device = torch.cuda.get_device_name(tracker.device) if on_gpu else torch.backends.cpu.get_cpu_capability()
    return {**versions, "processor": device, "threads": torch.get_num_threads()}


class ResumableRun:
    """Saves what is needed to resume a run after it was killed, and resumes it.

    Args:
        settings: of the run; it can be resumed only with the same.

    Attributes:
        begun_at: how many frames an earlier run had finished.
    """

    def __init__(
        self, reader: VideoReader, results: ResultFolder, tracker: Tracker, settings: Mapping[str, Any]
    ) -> None:
        self._reader, self._results, self._tracker, self._settings = reader, results, tracker, settings
        self._point: ResumePoint | None = None
        self.begun_at = 0
        work = results.keep_journal({"settings": settings, "environment": environment_of(tracker)})
        self._checkpoints = Checkpoints(work.path, work.journal)

    def resume(self) -> TrackerState | None:
        """The state to continue from; None if no earlier run has saved a state.

        Raises:
            OutputError: it has other settings, or is damaged; the message says what. Nothing is changed then.
        """
        if is_unfinished(self._results.path):
            self._point = find_point(self._results.path, self._settings)
        if self._point is None:
            return None
        self.begun_at = len(self._point.rows)
        return continue_run(self._point, self._results, self._reader, self._tracker)

    def frames(self, max_frames: int | None) -> Iterator[Frame]:
        """The frames that are not finished yet."""
        return remaining_frames(self._point, self._results, self._reader, max_frames)

    def offer(self, index: int, state: TrackerState) -> None:
        """The state after a frame whose results are written. Raises OutputError."""
        self._checkpoints.offer(index, state)

    def save(self) -> None:
        """Save the state that was offered last. Raises OutputError."""
        self._checkpoints.flush()


def find_point(folder: Path, settings: Mapping[str, Any]) -> ResumePoint | None:
    """Where the unfinished run in ``folder`` can be resumed. Nothing is changed.

    Returns:
        None if it was killed before a state was saved.

    Raises:
        OutputError: it has other settings, or something that is needed is damaged; the message says what.
    """
    work = RunFolder(folder)
    run, lines = work.read()
    try:
        check_same(run["settings"], settings, folder)
        found = latest(work.path, lines)
        if found is None:
            return None
        line, state = found
        records = [FrameRecord.from_dict(line.facts) for line in lines if line.kind == ROW]
        rows = {record.index: record for record in records}
        finished = tuple(rows[index] for index in range(line.facts["index"] + 1))
        point = ResumePoint(finished, state, line.end, dict(run["environment"]))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise OutputError(
            f"cannot resume: {work.journal.path} is not as a run writes it ({error})", *_START_AGAIN
        ) from error
    _check_files(folder, point.rows)
    return point


def continue_run(
    point: ResumePoint, results: ResultFolder, reader: VideoReader, tracker: Tracker
) -> TrackerState:
    """Continue a run at ``point``: takes up its results so far; returns the state on the tracker's device."""
    RunFolder(results.path).journal.cut(point.end)
    results.resume(point.rows, reader.size)
    was, now = point.environment, environment_of(tracker)
    if was != now:
        results.notices.append(
            f"from frame {len(point.rows)} on computed with {differences(was, now)}: pixels may differ from those "
            "of an undisturbed run"
        )
    return point.state.to(tracker.device)


def remaining_frames(
    point: ResumePoint | None, results: ResultFolder, reader: VideoReader, max_frames: int | None = None
) -> Iterator[Frame]:
    """The frames that are not finished yet; the failures of reading them go into the results.

    Finished frames are drawn again where the overlay needs it, also if ``max_frames`` leaves no other frame.
    """
    done = len(point.rows) if point else 0
    known = 0
    for frame in reader.frames_from(_first_needed(point.rows) if point else 0):
        new, known = reader.failures[known:], len(reader.failures)
        if frame.index < done:  # its failures are in the results already
            results.redraw(frame)
            if frame.index + 1 == max_frames:
                return
            continue
        results.failures.extend(new)
        yield frame
    results.failures.extend(reader.failures[known:])


def _first_needed(rows: tuple[FrameRecord, ...]) -> int:
    """The frame to read from: at most the last finished one, within the open segment of the overlay, with a picture."""
    last = rows[-1]
    index = min(last.index, last.overlay.frames if last.overlay else last.index)
    while index and not rows[index].decoded:  # it repeats the picture before
        index -= 1
    return index


def _check_files(folder: Path, rows: tuple[FrameRecord, ...]) -> None:
    for row in rows:
        path = folder / "masks" / f"{row.index:05d}.png"
        _check_sum(path, path.stat().st_size if path.is_file() else 0, row.mask_crc32)
    overlay = rows[-1].overlay
    if overlay is not None:
        _check_sum(RunFolder(folder).overlay, overlay.nbytes, overlay.crc32)


def _check_sum(path: Path, size: int, expected: int) -> None:
    """Checks that the first ``size`` bytes of a file are as they were written."""
    found, left = 0, size
    try:
        with path.open("rb") as file:
            while left and (block := file.read(min(left, _BLOCK))):
                found, left = zlib.crc32(block, found), left - len(block)
    except OSError as error:
        raise OutputError(
            f"cannot resume: {path} cannot be read ({error.strerror})", *_START_AGAIN
        ) from error
    if left or found != expected:
        raise OutputError(f"cannot resume: {path} is not as the run wrote it", *_START_AGAIN)
