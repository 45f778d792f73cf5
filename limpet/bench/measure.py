"""The two measurements: the steps of a tracker alone, and a whole job from a video file to masks on the disk.

For the steps alone the frames are in memory and the masks go nowhere. The whole job uses the reader and the writer of
``limpet track``, but without the journal from which an interrupted run is resumed.
"""

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

from limpet.bench.bench_clip import SYNTHETIC, write_bench_clip
from limpet.bench.config import BenchConfig
from limpet.bench.machine import cores_used_by_others, cpu_usage, peak_mb
from limpet.bench.stages import Reading, StageTimer, seconds
from limpet.bench.target import BenchTarget
from limpet.core.errors import ModelError, VideoError
from limpet.results.result_folder import ResultFolder
from limpet.tracking.session import WriteBehind
from limpet.video.open import open_video
from limpet.video.video_reader import Frame

Clip = tuple[list[NDArray[np.uint8]], NDArray[np.uint8]]
"""Frames (H, W, 3) uint8 RGB, and the mask (H, W) uint8 of the first."""
FrameDone = Callable[[int], None]
"""Called with the number of frames done."""
FRAMES_IN_MEMORY = 16


@dataclass(frozen=True)
class Recording:
    """What was measured of the frames that count.

    Attributes:
        frames: for each frame the seconds of every stage, see ``stages.seconds``.
        middle: the frame in the middle and the state before it, whose work is counted.
        state_mb: 10^6 bytes of the last state; None where the engine does not report it.
        peak_mb: peak memory of the process so far.
        cores_used_by_others: how many cores other programs kept busy meanwhile; None where it is not known.
        start_seconds: time of the first frame, whose mask is given; of a whole job, with opening the video.
        whole_seconds: time of a whole job without loading the model; None for steps alone.
        clip: what the frames show, in words.
    """

    frames: tuple[Mapping[str, Reading], ...]
    middle: tuple[Any, Any]
    state_mb: float | None
    peak_mb: float
    cores_used_by_others: float | None
    start_seconds: float
    whole_seconds: float | None
    clip: str

    def whole(self) -> NDArray[np.float64]:
        """(frames, 3): the seconds of each frame, all stages together."""
        return np.array([np.sum(list(stages.values()), axis=0) for stages in self.frames])


class Recorder:
    """Collects what ``Recording`` holds, while frames are tracked one after another.

    Args:
        config: how many frames count, and how many come before them.
        wait: returns when a GPU has finished its work.
        on_frame: called with the number of frames done.
    """

    def __init__(
        self, config: BenchConfig, wait: Callable[[], None], on_frame: FrameDone = lambda _: None
    ) -> None:
        self.timer = StageTimer(partial(seconds, wait))
        self.total = config.warm_up + config.frames
        self._warm_up, self._middle_at = config.warm_up, config.warm_up + config.frames // 2
        self._on_frame = on_frame
        self._frames: list[dict[str, Reading]] = []
        self._began, self._done = cpu_usage(), 0
        self._middle: tuple[Any, Any] | None = None

    @contextmanager
    def frame(self) -> Iterator[None]:
        """The context in which one frame is read, tracked and written."""
        if self._done == self._warm_up:
            self._began = cpu_usage()
        with self.timer.stage("rest"):
            yield
        spent = self.timer.take()
        if self._done >= self._warm_up:
            self._frames.append(spent)
        self._done += 1
        self._on_frame(self._done)

    def offer(self, frame: Any, state: Any) -> None:
        """Take note of a frame and the state before it; those of the frame in the middle are kept."""
        if self._done == self._middle_at:
            self._middle = frame, state

    def recording(
        self, state: Any, clip: str, start_seconds: float, whole_seconds: float | None = None
    ) -> Recording:
        """All that was collected, with the state after the last frame."""
        assert self._middle is not None  # at least two frames count
        nbytes = getattr(state, "nbytes", None)
        return Recording(
            tuple(self._frames), self._middle, None if nbytes is None else nbytes / 1e6, peak_mb(),
            cores_used_by_others(self._began, cpu_usage()), start_seconds, whole_seconds, clip,
        )  # fmt: skip


def measure_steps(
    target: BenchTarget, clip: Clip, config: BenchConfig, on_frame: FrameDone = lambda _: None
) -> Recording:
    """Track the frames of ``clip`` over and over, from the mask of its first frame.

    Raises:
        ModelError: an object of the mask is hidden, so that fewer are tracked than were asked for.
    """
    frames, mask = clip
    check_objects(mask, config)
    recorder = Recorder(config, target.wait, on_frame)
    before = time.perf_counter()
    state = target.tracker.start(frames[0], mask)
    target.wait()
    start_seconds = time.perf_counter() - before
    with target.timed(recorder.timer) as tracker:
        for index in range(1, recorder.total + 1):
            frame = frames[index % len(frames)]
            recorder.offer(frame, state)
            with recorder.frame(), recorder.timer.stage(target.step_stage):
                _, state = tracker.step(frame, state)
    return recorder.recording(state, SYNTHETIC, start_seconds)


def measure_end_to_end(
    target: BenchTarget, config: BenchConfig, on_frame: FrameDone = lambda _: None
) -> Recording:
    """Encode a clip into a temporary folder, then measure from opening it to the finished result.

    Raises:
        VideoError, OutputError, ModelError: the clip cannot be made, or the result not written.
    """
    with TemporaryDirectory(prefix="limpet-bench-") as name:
        folder, count = Path(name), config.warm_up + config.frames + 1
        clip, mask = write_bench_clip(folder / "clip.mp4", config.size, config.objects, count)
        check_objects(mask, config)
        return _whole_job(target, config, folder, mask, clip, on_frame)


def _whole_job(
    target: BenchTarget,
    config: BenchConfig,
    folder: Path,
    mask: NDArray[np.uint8],
    clip: str,
    on_frame: FrameDone,
) -> Recording:
    recorder = Recorder(config, target.wait, on_frame)
    stage = recorder.timer.stage
    before = time.perf_counter()
    with open_video(folder / "clip.mp4") as video:
        results = ResultFolder(
            folder / "result", size=video.size, frame_rate=video.frame_rate, overlay=config.overlay
        )
        frames = iter(video)
        with results, WriteBehind() as behind, target.timed(recorder.timer) as tracker:
            frame, image = _next(frames)
            state = target.tracker.start(image, mask)
            results.add(frame, mask, state.confidence)
            start_seconds = time.perf_counter() - before
            for _ in range(recorder.total):
                with recorder.frame():
                    with stage("decode video"):
                        frame, image = _next(frames)
                    recorder.offer(image, state)
                    with stage(target.step_stage):
                        labels, state = tracker.step(image, state)
                    with stage("write masks"):
                        behind.put(results.add, frame, labels, state.confidence)
            behind.wait()
    return recorder.recording(state, clip, start_seconds, time.perf_counter() - before)


def _next(frames: Iterator[Frame]) -> tuple[Frame, NDArray[np.uint8]]:
    frame = next(frames)
    if frame.image is None:
        raise VideoError(f"frame {frame.index} of the clip that was just encoded cannot be decoded")
    return frame, frame.image


def check_objects(mask: NDArray[np.uint8], config: BenchConfig) -> None:
    """Raise ModelError unless the mask shows as many objects as are to be tracked."""
    found = np.count_nonzero(np.unique(mask))
    if found != config.objects:
        raise ModelError(
            f"{config.objects} objects do not fit into frames of {config.size[0]}x{config.size[1]} "
            f"side by side ({found} can be seen); choose fewer --objects or a larger --size"
        )
