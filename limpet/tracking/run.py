"""``limpet.track``: a whole video from its first mask to a folder of results, one frame in memory at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from limpet.errors import MaskError, VideoError
from limpet.state import TrackerState
from limpet.tracking.groups import check_mask, object_ids
from limpet.tracking.load import load
from limpet.tracking.tracker import Tracker
from limpet.video.base import Frame, VideoReader
from limpet.video.image_reader import ImageReader
from limpet.video.masks import read_mask
from limpet.video.reader import open_video
from limpet.video.writer import ResultFolder

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
    """

    folder: Path
    frames: int
    frames_per_second: float
    object_ids: tuple[int, ...]
    failures: tuple[str, ...]
    notices: tuple[str, ...]
    problems: tuple[str, ...] = ()


def track(
    video: str | Path,
    mask: str | Path | Mask,
    out: str | Path,
    *,
    tracker: Tracker | Callable[[], Tracker] = load,
    add: Mapping[int, str | Path | Mask] | None = None,
    overwrite: bool = False,
    resize_mask: bool = False,
    overlay: bool = True,
    on_frame: OnFrame | None = None,
) -> TrackResult:
    """Follow the objects of a mask through a video.

    Args:
        video: a file, a folder of images or a numbered pattern.
        mask: of the first frame: an indexed PNG, or uint8 (H, W); ids 1..255 are kept.
        out: folder for masks/, overlay.mp4, report.json, report.html and report.png.
        tracker: from ``limpet.load``, or a function that makes one; it is called once the input is known to be
            good. The default loads the default model.
        add: masks at later frames, by index: new ids are new objects, known ids are corrected.
        overwrite: replace an earlier result in ``out``.
        resize_mask: fit masks of another size to the frames instead of refusing them.
        overlay: write overlay.mp4.
        on_frame: called after each frame with the frames done and, if known, the frames to come in all.

    Raises:
        VideoError, MaskError, OutputError, WeightsError: each says what to do. What was written stays valid.
    """
    with open_video(video) as reader:
        first_mask = _mask(mask, reader.size, resize_mask)
        later = _later_masks(add or {}, reader, resize_mask)
        results = ResultFolder(
            out,
            overwrite=overwrite,
            size=reader.size,
            frame_rate=reader.frame_rate,
            object_ids=object_ids(first_mask),
            info={"source": reader.name},
            overlay=overlay,
        )
        results.failures = reader.failures
        ready = tracker if isinstance(tracker, Tracker) else tracker()
        results.report.info.update(model=ready.name, weights_sha256=ready.weights_sha256)
        begin = time.perf_counter()
        with results:
            ids: tuple[int, ...] = ()
            for frame, labels, state in follow(reader, first_mask, ready, later):
                results.add(frame, labels, state.confidence)
                ids = state.object_ids
                if on_frame is not None:
                    on_frame(results.frames_written, reader.frame_count)
            unused = _unused(later, results)
            results.notices.extend(unused)
        seconds = time.perf_counter() - begin
    problems = [line for line in results.failures if line.startswith(_CUT_OFF)] + unused
    return TrackResult(
        results.path,
        results.frames_written,
        results.frames_written / seconds,
        ids,
        tuple(results.failures),
        tuple(results.notices),
        tuple(problems),
    )


def follow(
    reader: VideoReader, first_mask: Mask, tracker: Tracker, later: Mapping[int, Mask] | None = None
) -> Iterator[tuple[Frame, Mask, TrackerState]]:
    """Each frame of a video with its mask and the tracker's state after it.

    A frame that cannot be decoded repeats the mask before it, and the state stays as it was.

    Raises:
        VideoError: the very first frame cannot be decoded, so that its mask shows nothing.
    """
    state, labels = None, first_mask
    for frame in reader:
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
