"""Measures a whole job: an h264 file is read, its objects are tracked, and a folder of masks is written.

It goes through the reader and the writer that ``limpet track`` uses, but for the journal from which a killed run is
taken up again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from limpet.bench.footage import write_clip
from limpet.bench.record import OnFrame, Recorded, Recorder
from limpet.bench.settings import BenchSettings
from limpet.bench.steps import check_objects
from limpet.bench.subject import Subject
from limpet.errors import VideoError
from limpet.tracking.behind import WriteBehind
from limpet.video.base import Frame
from limpet.video.reader import open_video
from limpet.video.writer import ResultFolder


def measure_end_to_end(
    subject: Subject, settings: BenchSettings, on_frame: OnFrame = lambda _: None
) -> Recorded:
    """Encode a clip into a temporary folder, then measure from opening it to the finished result.

    Raises:
        VideoError, OutputError, ModelError: the clip cannot be made, or the result not written.
    """
    with TemporaryDirectory(prefix="limpet-bench-") as name:
        folder, count = Path(name), settings.warm_up + settings.frames + 1
        footage, mask = write_clip(folder / "clip.mp4", settings.size, settings.objects, count)
        check_objects(mask, settings)
        return _whole_job(subject, settings, folder, mask, footage, on_frame)


def _whole_job(
    subject: Subject,
    settings: BenchSettings,
    folder: Path,
    mask: NDArray[np.uint8],
    footage: str,
    on_frame: OnFrame,
) -> Recorded:
    tracker = subject.tracker
    recorder = Recorder(settings.warm_up, settings.frames, subject.wait, on_frame)
    stage = recorder.stages.stage
    before = time.perf_counter()
    with open_video(folder / "clip.mp4") as video:
        results = ResultFolder(
            folder / "result", size=video.size, frame_rate=video.frame_rate, overlay=settings.overlay
        )
        frames = iter(video)
        with results, WriteBehind() as behind, subject.watched(recorder.stages):
            frame, image = _next(frames)
            state = tracker.start(image, mask)
            results.add(frame, mask, state.confidence)
            start_seconds = time.perf_counter() - before
            for _ in range(recorder.total):
                with recorder.frame():
                    with stage("decode video"):
                        frame, image = _next(frames)
                    recorder.offer(image, state)
                    with stage(subject.step_stage):
                        labels, state = tracker.step(image, state)
                    with stage("write masks"):
                        behind.put(results.add, frame, labels, state.confidence)
            behind.wait()
    return recorder.recorded(state, footage, start_seconds, time.perf_counter() - before)


def _next(frames: Iterator[Frame]) -> tuple[Frame, NDArray[np.uint8]]:
    frame = next(frames)
    if frame.image is None:
        raise VideoError(f"frame {frame.index} of the clip that was just encoded cannot be decoded")
    return frame, frame.image
