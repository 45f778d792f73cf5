"""``limpet.track``: from a video and its first mask to a folder of results, with one frame in memory at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from limpet.core.errors import MaskError, Option, OutputError
from limpet.core.groups import check_mask, object_ids
from limpet.core.mask_hints import mask_hints
from limpet.core.masks import fit_mask, read_mask
from limpet.core.tracker_protocol import AnyTracker, Mask, check_tracker
from limpet.exchange.formats import is_exchange_file, read_masks
from limpet.exchange.mask_sequence import mask_at
from limpet.results.result_folder import ResultFolder
from limpet.results.run_folder import CompleteRun, RunFolder, complete_run
from limpet.tracking.run_settings import can_read_again, check_can_read_again, check_same, settings_of
from limpet.tracking.session import Limit, OnFrame, Session
from limpet.video.frame_queue import OnWait, StreamAccount
from limpet.video.open import open_source
from limpet.video.sources import Source
from limpet.video.video_reader import VideoReader


@dataclass(frozen=True)
class TrackResult:
    """What ``track`` did.

    >>> result = TrackResult(Path("out"), 88, 9.5, (1, 2, 3), failures=(), notices=())
    >>> result.frames, result.object_ids, result.problems
    (88, (1, 2, 3), ())

    folder: with the masks, the overlay and the report.
    frames: how many frames were written. frames_per_second: of reading, tracking and writing together.
    object_ids: all ids that were tracked.
    failures: frames that could not be decoded, one sentence each. notices: what else to know.
    problems: those of both that leave a part of the task undone: the video was cut off, or a mask belongs to no frame.
    begun_at: how many frames an earlier run, which was resumed, had finished.
    was_complete: whether there was nothing left to resume, so that nothing was done.
    look_first: where a person should look first, one sentence each, the worst first; see docs/confidence.md.
    stream: for a stream, what was dropped and how late results were.
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


def default_tracker() -> AnyTracker[Any]:
    """What ``limpet.load`` returns without arguments. It imports torch, which not every tracker needs."""
    from limpet.tracking.load import load

    return load()


def track(
    video: str | Path | Source | Iterable[Any],
    mask: str | Path | Mask | None,
    out: str | Path,
    *,
    tracker: AnyTracker[Any] | Callable[[], AnyTracker[Any]] = default_tracker,
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
    """Track the objects of a mask through a video.

    Args:
        video: a file, a folder of images or a numbered pattern; or a stream (docs/streams.md): ``camera:0``, an
            address such as ``rtsp://…``, ``-`` for standard input, a named pipe; or a list, an array, a tensor or a
            generator of frames, uint8 (H, W, 3) RGB.
        mask: of the first frame: an indexed PNG, or uint8 (H, W); ids 1..255 are kept. Or a file of another program
            (docs/formats.md), whose masks of frame 0 are taken. None where the first mask is that of a later frame, the
            earliest one in ``add``: tracking begins there, and the masks before it are empty.
        out: folder for masks/, overlay.mp4, report.json, report.html and report.png.
        tracker: from ``limpet.load`` or ``limpet.load_exported``, or a function that makes one, which is called once
            the input has been checked. The default loads the default model.
        add: masks at later frames, by index, from files of the same kinds: new ids are new objects, known ids are
            corrected.
        overwrite: replace an earlier result in ``out``.
        resume: continue a run in ``out`` that was stopped or killed; the result is the same, byte for byte, as that of
            an undisturbed run. If ``out`` is empty or absent, the run begins; if it is complete, nothing is done.
        resize_mask: fit masks of another size to the frames instead of refusing them.
        overlay: write overlay.mp4.
        live: for a stream, "drop" (only the newest frame is tracked) or "block" (all are tracked, the source waits).
            The default is drop for cameras and for addresses that send at their own pace. A live source has no end: a
            KeyboardInterrupt after the first frame ends it, and the result is complete.
        max_frames, max_seconds: stop after this many frames, or before the first frame after this time.
        on_frame: called after each frame with the number of frames done and, if known, of all frames.
        on_wait: called regularly while no frame of a stream arrives, so that it can raise a KeyboardInterrupt.

    Raises:
        VideoError, MaskError, OutputError, WeightsError: each message says what to do. What was written stays valid.

    >>> import tempfile
    >>> import limpet
    >>> from limpet.demo.demo_clip import demo_video, first_mask
    >>> result = limpet.track(demo_video(), first_mask(), tempfile.mkdtemp(), max_frames=2)
    >>> result.frames, result.object_ids
    (2, (1, 2, 3))
    >>> sorted(path.name for path in result.folder.iterdir())
    ['masks', 'overlay.mp4', 'report.html', 'report.json', 'report.png']
    """
    if overwrite and resume:
        raise OutputError(
            "pass ", Option("overwrite"), " to start again or ", Option("resume"), " to go on, but not both"
        )
    limit = Limit(max_frames, max_seconds)
    add = dict(add or {})
    mask = add.pop(0, None) if mask is None else mask
    if mask is None and not add:
        raise MaskError(
            "there is no mask to begin with; give that of the first frame, or add the mask of a later frame"
        )
    with open_source(video, live, on_wait) as reader:
        if resume:
            check_can_read_again(reader)
        told: list[str] = []
        masks = {} if mask is None else {0: _mask(mask, 0, reader.size, resize_mask, told)}
        first_mask = masks.get(0)
        later = _later_masks(add, reader, resize_mask, told)
        masks = {**later, **masks}
        results = ResultFolder(
            out,
            overwrite=overwrite,
            resume=resume,
            size=reader.size,
            frame_rate=reader.frame_rate,
            pixel_aspect=reader.pixel_aspect,
            object_ids=() if first_mask is None else object_ids(first_mask),
            overlay=overlay,
        )
        ready = tracker() if callable(tracker) else tracker
        check_tracker(ready)
        ready.check_video(reader.size, {i for each in masks.values() for i in object_ids(each)})
        if resume and not ready.resumable:
            raise OutputError(
                "the states of an exported tracker are not saved, so that there is nothing to resume; leave out ",
                Option("resume"),
                ", and pass ",
                Option("overwrite"),
                " to start again",
            )
        settings = settings_of(reader, masks, ready, overlay, max_frames, max_seconds).as_dict()
        results.report.info.update(settings, calibrated=ready.calibration is not None)
        earlier = complete_run(results.path) if resume else None
        if earlier is not None:
            return _was_complete(results.path, earlier, settings)
        session = Session(reader, results, ready, settings)
        begin = time.perf_counter()
        with results:
            if resume:
                session.resume()
            ids = session.work(first_mask, later, limit, on_frame)
            results.notices.extend(note for note in (*told, *reader.notices) if note not in results.notices)
            unused = _unused(later, results)
            results.notices.extend(unused)
            results.report.problems.extend(unused)
        seconds = time.perf_counter() - begin
    return TrackResult(
        results.path,
        results.frames_written,
        (results.frames_written - session.begun_at) / seconds,
        ids,
        tuple(str(failure) for failure in results.failures),
        tuple(results.notices),
        tuple(results.report.problems),
        session.begun_at,
        look_first=tuple(map(str, results.report.look_first())),
        stream=reader.account,
    )


def _was_complete(folder: Path, run: CompleteRun, settings: Mapping[str, Any]) -> TrackResult:
    """The result of a run that is complete; a run folder that it did not get to remove is removed."""
    check_same(run.settings, settings, folder)
    RunFolder(folder).remove()
    return TrackResult(
        folder,
        run.frames,
        0.0,
        run.object_ids,
        run.failures,
        run.notices,
        run.problems,
        begun_at=run.frames,
        was_complete=True,
    )


def _mask(
    given: str | Path | Mask, index: int, size: tuple[int, int], resize_mask: bool, told: list[str]
) -> Mask:
    """The mask of frame ``index``; what is lost in reading it is added to ``told``."""
    if isinstance(given, np.ndarray):
        check_mask(given, size)
        mask = given
    elif not is_exchange_file(Path(given)):
        mask = read_mask(given, size, resize_mask=resize_mask)
    else:
        masks = read_masks(given)
        mask = fit_mask(mask_at(masks, index), size, resize_mask, given)
        told += [notice for notice in masks.notices if notice not in told]
    told += mask_hints(mask, f"the mask of frame {index}")
    return mask


def _later_masks(
    add: Mapping[int, str | Path | Mask], reader: VideoReader, resize_mask: bool, told: list[str]
) -> dict[int, Mask]:
    found: dict[int, Mask] = {}
    if add and can_read_again(reader):
        reader.prepare_seeking()
    for index, given in add.items():
        # The length of some files is an estimate: which masks belong to no frame is known at their end only.
        known = reader.known_length()
        if index < 0 or (known is not None and index >= known):
            frames = f"{known} frames, 0 to {known - 1}" if known else "frames from 0 on"
            raise MaskError(f"a mask is given for frame {index}, but {reader.name} has {frames}")
        try:
            found[index] = _mask(given, index, reader.size, resize_mask, told)
        except MaskError as error:
            raise MaskError(f"for frame {index}: ", *error.parts) from error
    return found


def _unused(later: Mapping[int, Mask], results: ResultFolder) -> list[str]:
    count = results.frames_written
    reasons = dict.fromkeys(results.report.undecoded, "that frame could not be decoded")
    reasons |= {index: f"the video has {count} frames, 0 to {count - 1}" for index in later if index >= count}
    return [f"the mask for frame {i} was not used: {reasons[i]}" for i in sorted(later) if i in reasons]
