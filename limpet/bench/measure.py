"""Measures the steps of a tracker alone: frames lie in memory, and masks go nowhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.bench.bench_clip import write_bench_clip
from limpet.bench.config import BenchConfig
from limpet.bench.machine import cores_of_others, now, peak_mb
from limpet.bench.stages import Reading, Stages, seconds
from limpet.bench.target import Subject
from limpet.core.errors import ModelError, VideoError
from limpet.results.result_folder import ResultFolder
from limpet.tracking.session import WriteBehind
from limpet.video.open import open_video
from limpet.video.video_reader import Frame

Clip = tuple[list[NDArray[np.uint8]], NDArray[np.uint8]]
FRAMES_IN_MEMORY = 16


def measure_steps(
    subject: Subject, clip: Clip, settings: BenchConfig, on_frame: OnFrame = lambda _: None
) -> Recorded:
    """Track the frames (H, W, 3) of ``clip`` over and over from its mask (H, W).

    Raises:
        ModelError: an object of the mask is hidden, so that fewer are tracked than were asked for.
    """
    frames, mask = clip
    check_objects(mask, settings)
    recorder = Recorder(settings.warm_up, settings.frames, subject.wait, on_frame)
    before = time.perf_counter()
    state = subject.tracker.start(frames[0], mask)
    subject.wait()
    start_seconds = time.perf_counter() - before
    with subject.watched(recorder.stages):
        for index in range(1, recorder.total + 1):
            frame = frames[index % len(frames)]
            recorder.offer(frame, state)
            with recorder.frame(), recorder.stages.stage(subject.step_stage):
                _, state = subject.tracker.step(frame, state)
    return recorder.recorded(state, "made-up discs", start_seconds)


def check_objects(mask: NDArray[np.uint8], settings: BenchConfig) -> None:
    """Raises ModelError unless the mask holds as many objects as are to be tracked."""
    found = np.count_nonzero(np.unique(mask))
    if found != settings.objects:
        raise ModelError(
            f"{settings.objects} objects do not fit into frames of {settings.size[0]}x{settings.size[1]} "
            f"side by side ({found} can be seen); choose fewer --objects or a larger --size"
        )


OnFrame = Callable[[int], None]


@dataclass(frozen=True)
class Recorded:
    """Of the frames that count.

    frames: for each frame the seconds of every stage, as of ``stages.seconds``.
    middle: the frame in the middle and the state before it, to count the work of.
    state_mb: of the last state, 10^6 bytes; None where the engine does not tell.
    peak_mb: of the process, up to now. others: cores that other programs kept busy meanwhile.
    start_seconds: the first frame, whose mask is given; from end to end opening the video too.
    whole_seconds: from end to end, all of it without loading the model; else None.
    footage: what the frames show.
    """

    frames: tuple[Mapping[str, Reading], ...]
    middle: tuple[Any, Any]
    state_mb: float | None
    peak_mb: float
    others: float | None
    start_seconds: float
    whole_seconds: float | None
    footage: str

    def whole(self) -> NDArray[np.float64]:
        """(frames, 3): each frame, all stages together."""
        return np.array([np.sum(list(stages.values()), axis=0) for stages in self.frames])


class Recorder:
    """Collects what ``Recorded`` holds, while frames are tracked one after another.

    Args:
        warm_up: how many frames come before those that count; frames: how many count.
        wait: lets a GPU come to its end.
        on_frame: called with the number of frames done.
    """

    def __init__(
        self, warm_up: int, frames: int, wait: Callable[[], None], on_frame: OnFrame = lambda _: None
    ) -> None:
        self.stages = Stages(partial(seconds, wait))
        self.total = warm_up + frames
        self._warm_up, self._middle_at, self._on_frame = warm_up, warm_up + frames // 2, on_frame
        self._frames: list[dict[str, Reading]] = []
        self._began, self._done = now(), 0
        self.middle: tuple[Any, Any] | None = None

    @contextmanager
    def frame(self) -> Iterator[None]:
        """One frame in ``with``."""
        if self._done == self._warm_up:
            self._began = now()
        with self.stages.stage("rest"):
            yield
        spent = self.stages.take()
        if self._done >= self._warm_up:
            self._frames.append(spent)
        self._done += 1
        self._on_frame(self._done)

    def offer(self, frame: Any, state: Any) -> None:
        """A frame and the state before it; those of the middle are kept."""
        if self._done == self._middle_at:
            self.middle = frame, state

    def recorded(
        self, state: Any, footage: str, start_seconds: float, whole_seconds: float | None = None
    ) -> Recorded:
        """All of it, with the state after the last frame."""
        assert self.middle is not None  # there are two frames at least
        held = getattr(state, "nbytes", None)
        return Recorded(
            tuple(self._frames), self.middle, None if held is None else held / 1e6, peak_mb(),
            cores_of_others(self._began, now()), start_seconds, whole_seconds, footage,
        )  # fmt: skip


def measure_end_to_end(
    subject: Subject, settings: BenchConfig, on_frame: OnFrame = lambda _: None
) -> Recorded:
    """Encode a clip into a temporary folder, then measure from opening it to the finished result.

    Raises:
        VideoError, OutputError, ModelError: the clip cannot be made, or the result not written.
    """
    with TemporaryDirectory(prefix="limpet-bench-") as name:
        folder, count = Path(name), settings.warm_up + settings.frames + 1
        footage, mask = write_bench_clip(folder / "clip.mp4", settings.size, settings.objects, count)
        check_objects(mask, settings)
        return _whole_job(subject, settings, folder, mask, footage, on_frame)


def _whole_job(
    subject: Subject,
    settings: BenchConfig,
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
