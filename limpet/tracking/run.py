"""``limpet.track``: a whole video from its first mask to a folder of results, one frame in memory at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.errors import MaskError, OutputError, VideoError
from limpet.state import TrackerState
from limpet.tracking.checkpoint import Checkpoints
from limpet.tracking.groups import check_mask, object_ids
from limpet.tracking.live import Limit, stopping_is_an_end
from limpet.tracking.load import load
from limpet.tracking.resume import (
    Point,
    can_go_on,
    check_can_go_on,
    check_same,
    environment_of,
    find_point,
    frames_left,
    go_on,
    settings_of,
)
from limpet.tracking.tracker import Tracker
from limpet.video.base import Frame, VideoReader
from limpet.video.earlier import complete_report, is_unfinished
from limpet.video.frame_queue import OnWait, StreamAccount
from limpet.video.image_reader import ImageReader
from limpet.video.masks import read_mask
from limpet.video.reader import open_source
from limpet.video.sources import Source
from limpet.video.work import WorkFolder
from limpet.video.writer import ResultFolder
from limpet.visual.moments import in_words

Mask = NDArray[np.uint8]
OnFrame = Callable[[int, int | None], None]
_CUT_OFF = ("the video ends after", "reading stopped after")  # how readers say that more should have come


@dataclass(frozen=True)
class TrackResult:
    """What ``track`` did.

    folder: where the masks, the overlay and the report are.
    frames: how many frames were written, and frames_per_second of reading, tracking and writing together.
    object_ids: all ids that were followed.
    failures: frames that could not be decoded, one sentence each; notices: what else to know.
    problems: those of both that leave a part undone: the video was cut off, a mask came for no frame.
    begun_at: how many frames an earlier run, which was resumed, had done.
    was_complete: whether there was nothing left to resume, so that nothing was done.
    look_first: where a person should look first, a sentence each, the worst first; see docs/confidence.md.
    stream: of a stream, what was dropped and how late results were.
    """

    folder: Path
    frames: int
    frames_per_second: float
    object_ids: tuple[int, ...]
    failures: tuple[str, ...]
    notices: tuple[str, ...]
    problems: tuple[str, ...] = ()
    begun_at: int = 0
    was_complete: bool = False
    look_first: tuple[str, ...] = ()
    stream: StreamAccount | None = None


def track(
    video: str | Path | Source,
    mask: str | Path | Mask,
    out: str | Path,
    *,
    tracker: Tracker | Callable[[], Tracker] = load,
    add: Mapping[int, str | Path | Mask] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    resize_mask: bool = False,
    overlay: bool = True,
    live: str | None = None,
    max_frames: int | None = None,
    max_seconds: float | None = None,
    on_frame: OnFrame | None = None,
    on_wait: OnWait | None = None,
) -> TrackResult:
    """Follow the objects of a mask through a video.

    Args:
        video: a file, a folder of images or a numbered pattern; or a stream (docs/streams.md): ``camera:0``, an
            address such as ``rtsp://…``, ``-`` for standard input, a named pipe.
        mask: of the first frame: an indexed PNG, or uint8 (H, W); ids 1..255 are kept.
        out: folder for masks/, overlay.mp4, report.json, report.html and report.png.
        tracker: from ``limpet.load``, or a function that makes one; it is called once the input is known to be
            good. The default loads the default model.
        add: masks at later frames, by index: new ids are new objects, known ids are corrected.
        overwrite: replace an earlier result in ``out``.
        resume: go on with a run in ``out`` that was stopped or killed; the result is the same, byte for byte, as
            that of a run in one go. Where ``out`` is empty or absent, begin; where it is complete, do nothing.
        resize_mask: fit masks of another size to the frames instead of refusing them.
        overlay: write overlay.mp4.
        live: of a stream, "drop" (the newest frame wins) or "block" (all are tracked, the source waits). The default is
            drop for cameras and for addresses that send at their own pace. A live source has no end of its own: a
            KeyboardInterrupt after the first frame ends it, and the result is complete.
        max_frames, max_seconds: end after so many frames, or before the first frame later than that.
        on_frame: called after each frame with the frames done and, if known, the frames to come in all.
        on_wait: called now and then while no frame of a stream comes, so that it can raise a KeyboardInterrupt.

    Raises:
        VideoError, MaskError, OutputError, WeightsError: each says what to do. What was written stays valid.
    """
    if overwrite and resume:
        raise OutputError("pass --overwrite to start again or --resume to go on, not both")
    limit = Limit(max_frames, max_seconds)
    with open_source(video, live, on_wait) as reader:
        if resume:
            check_can_go_on(reader)
        first_mask = _mask(mask, reader.size, resize_mask)
        later = _later_masks(add or {}, reader, resize_mask)
        results = ResultFolder(
            out,
            overwrite=overwrite,
            resume=resume,
            size=reader.size,
            frame_rate=reader.frame_rate,
            object_ids=object_ids(first_mask),
            overlay=overlay,
        )
        ready = tracker if isinstance(tracker, Tracker) else tracker()
        settings = settings_of(reader, {**later, 0: first_mask}, ready, overlay) | asdict(limit)
        results.report.info.update(settings, calibrated=ready.calibration is not None)
        earlier = complete_report(results.path) if resume else None
        if earlier is not None:
            return _was_complete(results.path, earlier, settings)
        point = find_point(results.path, settings) if resume and is_unfinished(results.path) else None
        run = _Run(reader, results, ready, point, settings)
        begin = time.perf_counter()
        with results:
            ids = run.work(first_mask, later, limit, on_frame)
            unused = _unused(later, results)
            results.notices.extend(unused)
        seconds = time.perf_counter() - begin
    problems = [line for line in results.failures if line.startswith(_CUT_OFF)] + unused
    return TrackResult(
        results.path,
        results.frames_written,
        (results.frames_written - run.begun_at) / seconds,
        ids,
        tuple(results.failures),
        tuple(results.notices),
        tuple(problems),
        run.begun_at,
        look_first=tuple(in_words(moment) for moment in results.report.look_first()),
        stream=reader.account,
    )


class _Run:
    """From the first frame, or from the point that an earlier run had reached, to the last.

    While it goes on it writes down what is needed to go on after it was killed, unless it reads a stream.
    """

    def __init__(
        self,
        reader: VideoReader,
        results: ResultFolder,
        tracker: Tracker,
        point: Point | None,
        settings: Mapping[str, Any],
    ) -> None:
        self._reader, self._results, self._tracker, self._point = reader, results, tracker, point
        self.begun_at = len(point.rows) if point else 0
        self._checkpoints: Checkpoints | None = None
        if can_go_on(reader):
            work = results.keep_journal({"settings": settings, "environment": environment_of(tracker)})
            self._checkpoints = Checkpoints(work.path, work.journal)

    def work(
        self, first_mask: Mask, later: Mapping[int, Mask], limit: Limit, on_frame: OnFrame | None
    ) -> tuple[int, ...]:
        """Returns the ids that were followed."""
        reader, results, state = self._reader, self._results, None
        if self._point is not None:
            state = go_on(self._point, results, reader, self._tracker)
        ids = state.object_ids if state else ()
        all_done = limit.max_frames is not None and self.begun_at >= limit.max_frames
        steps = follow(reader, first_mask, self._tracker, later, self._frames(), state)
        try:
            with stopping_is_an_end(reader, results):
                for frame, labels, now in () if all_done else limit.until(steps):
                    results.add(frame, labels, now.confidence)
                    if self._checkpoints is not None:
                        self._checkpoints.offer(frame.index, now)
                    ids = now.object_ids
                    if on_frame is not None:
                        on_frame(results.frames_written, limit.expected(reader.frame_count))
        except BaseException:
            with suppress(OutputError):  # what went wrong first is what to tell
                self._save()
            raise
        self._save()
        return ids

    def _frames(self) -> Iterable[Frame]:
        if self._checkpoints is not None:
            return frames_left(self._point, self._results, self._reader)
        self._results.failures = self._reader.failures
        return self._reader

    def _save(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.flush()


def follow(
    reader: VideoReader,
    first_mask: Mask,
    tracker: Tracker,
    later: Mapping[int, Mask] | None = None,
    frames: Iterable[Frame] | None = None,
    state: TrackerState | None = None,
) -> Iterator[tuple[Frame, Mask, TrackerState]]:
    """Each frame of a video with its mask and the tracker's state after it.

    A frame that cannot be decoded repeats the mask before it, and the state stays as it was.

    Args:
        frames: which frames of the reader; all, unless given.
        state: after the frame before these; None where they begin with the first of the video.

    Raises:
        VideoError: the very first frame cannot be decoded, so that its mask shows nothing.
    """
    labels = first_mask if state is None else state.mask.cpu().numpy().copy()
    for frame in reader if frames is None else frames:
        if frame.image is None:
            if state is None:
                raise VideoError(
                    f"the first frame of {reader.name} cannot be decoded, and the mask belongs to it; "
                    f"cut the video to begin at a whole frame, and draw the mask there"
                )
            yield frame, labels, state
            continue
        if state is None:
            state = tracker.start(frame.image, first_mask)
        else:
            labels, state = tracker.step(frame.image, state)
        if later and frame.index in later:
            state = tracker.add(frame.image, later[frame.index], state)
            labels = state.mask.cpu().numpy()
        yield frame, labels, state


def _was_complete(folder: Path, report: Mapping[str, Any], settings: Mapping[str, Any]) -> TrackResult:
    """The result of a run that ended before; what it left in a hurry is removed."""
    check_same({**report, **report["info"]}, settings, folder)
    WorkFolder(folder).remove()
    ids = tuple(item["id"] for item in report["objects"])
    failures, notices = tuple(report["failures"]), tuple(report["notices"])
    frames = int(report["frames"])
    return TrackResult(folder, frames, 0.0, ids, failures, notices, begun_at=frames, was_complete=True)


def _mask(given: str | Path | Mask, size: tuple[int, int], resize_mask: bool) -> Mask:
    if not isinstance(given, np.ndarray):
        return read_mask(given, size, resize_mask=resize_mask)
    check_mask(given, size)
    return given


def _later_masks(
    add: Mapping[int, str | Path | Mask], reader: VideoReader, resize_mask: bool
) -> dict[int, Mask]:
    found: dict[int, Mask] = {}
    for index, given in add.items():
        # The length of a video file is an estimate: only at its end is it known which masks came for no frame.
        known = reader.frame_count if isinstance(reader, ImageReader) else None
        if index < 0 or (known is not None and index >= known):
            frames = f"{known} frames, 0 to {known - 1}" if known else "frames from 0 on"
            raise MaskError(f"a mask is given for frame {index}, but {reader.name} has {frames}")
        try:
            found[index] = _mask(given, reader.size, resize_mask)
        except MaskError as error:
            raise MaskError(f"for frame {index}: {error}") from error
    return found


def _unused(later: Mapping[int, Mask], results: ResultFolder) -> list[str]:
    count = results.frames_written
    reasons = dict.fromkeys(results.report.undecoded, "that frame could not be decoded")
    reasons |= {index: f"the video has {count} frames, 0 to {count - 1}" for index in later if index >= count}
    return [f"the mask for frame {i} was not used: {reasons[i]}" for i in sorted(later) if i in reasons]
