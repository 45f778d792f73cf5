"""Tracks the demo clip, writes the results that ``limpet track`` writes, and scores them against the exact masks.

Shapes: T frames, H W pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import DataError
from limpet.core.tracker_protocol import AnyTracker
from limpet.demo.demo_clip import OBJECT_NAMES, REPAIR, Masks, demo_masks, demo_video
from limpet.evaluation.metrics import boundary_accuracy, region_similarity
from limpet.evaluation.scores import ObjectScores, Scores
from limpet.results.result_folder import ResultFolder
from limpet.video.open import open_video
from limpet.video.video_reader import Frame

Image = NDArray[np.uint8]  # (H, W, 3) RGB

NAME = "demo"
"""Name of the clip among the scores."""


@dataclass(frozen=True)
class DemoResult:
    """What `run_demo` did.

    Attributes:
        folder: where masks/, overlay.mp4 and the report are.
        overlay: the overlay video, or None when it could not be made; ``notices`` says why.
        scores: ``j_mean``, ``f_mean``, ``j_and_f`` in [0, 1], ``frames_per_second`` of the tracker's steps
            alone, and ``objects``, one for each key of ``OBJECT_NAMES``.
        notices: what the user should know.
    """

    folder: Path
    overlay: Path | None
    scores: Scores
    notices: tuple[str, ...]


@dataclass
class _Judge:
    """J and F of every object, over the frames that DAVIS scores: all but the first and the last."""

    truth: Masks  # (T, H, W)
    region: dict[int, list[float]] = field(default_factory=lambda: {number: [] for number in OBJECT_NAMES})
    boundary: dict[int, list[float]] = field(default_factory=lambda: {number: [] for number in OBJECT_NAMES})

    def score(self, index: int, mask: Masks) -> None:
        if not 0 < index < len(self.truth) - 1:
            return
        for number in OBJECT_NAMES:
            truth, prediction = self.truth[index] == number, mask == number
            self.region[number].append(region_similarity(truth, prediction))
            self.boundary[number].append(boundary_accuracy(truth, prediction))

    def scores(self, seconds: float) -> Scores:
        objects = tuple(
            ObjectScores(NAME, number, tuple(self.region[number]), tuple(self.boundary[number]))
            for number in OBJECT_NAMES
        )
        scored = tuple(f"{index:05d}" for index in range(1, len(self.truth) - 1))
        return Scores(objects, {NAME: scored}, seconds, len(self.truth) - 1)


def run_demo(
    out: str | Path,
    tracker: AnyTracker[Any],
    *,
    overwrite: bool = False,
    info: Mapping[str, Any] | None = None,
    on_frame: Callable[[int, int], None] | None = None,
) -> DemoResult:
    """Track the clip of the package from its first mask.

    Args:
        out: folder for the results; made if it does not exist.
        tracker: a `limpet.Tracker`, or anything with its `start` and `step` whose state has `confidence`.
        overwrite: replace an earlier result in ``out``.
        info: facts for the report: "model", "weights_sha256" and others.
        on_frame: called after each frame with the number of frames done and the number of all frames.

    Returns:
        The scores and where the results are.

    Raises:
        OutputError: when ``out`` is in use or cannot be written.
        DataError: when the clip in the package is damaged.
    """
    truth = demo_masks()
    judge, seconds = _Judge(truth), 0.0
    with open_video(demo_video()) as video:
        _check_size(video.size, truth)
        folder = ResultFolder(
            out,
            overwrite=overwrite,
            size=video.size,
            frame_rate=video.frame_rate,
            object_ids=tuple(OBJECT_NAMES),
            info={"source": "the demo clip", **(info or {})},
        )
        with folder:
            for frame, mask, confidence, took in _track(tracker, _checked(video, len(truth)), truth[0]):
                folder.add(frame, mask, confidence)
                judge.score(frame.index, mask)
                seconds += took
                if on_frame:
                    on_frame(folder.frames_written, len(truth))
    overlay = folder.path / "overlay.mp4"
    return DemoResult(
        folder.path, overlay if overlay.is_file() else None, judge.scores(seconds), tuple(folder.notices)
    )


def _track(
    tracker: AnyTracker[Any], frames: Iterator[tuple[Frame, Image]], given: Masks
) -> Iterator[tuple[Frame, Masks, Mapping[int, float], float]]:
    """Each frame with its mask, the confidence in each object, and its step's seconds (first frame: 0)."""
    first, image = next(frames)
    state = tracker.start(image, given)
    yield first, given, dict.fromkeys(OBJECT_NAMES, 1.0), 0.0  # the mask that is given is certain
    for frame, image in frames:
        begin = time.perf_counter()
        mask, state = tracker.step(image, state)
        yield frame, mask, state.confidence, time.perf_counter() - begin


def _checked(frames: Iterable[Frame], expected: int) -> Iterator[tuple[Frame, Image]]:
    """The frames with their images; there must be as many as masks.

    Raises:
        DataError: when a frame cannot be decoded, or there are more or fewer than expected.
    """
    count = 0
    for frame in frames:
        if frame.image is None:
            raise DataError(f"frame {frame.index} of the demo clip cannot be decoded; {REPAIR}")
        count += 1
        if count <= expected:
            yield frame, frame.image
    if count != expected:
        raise DataError(f"the demo clip has {count} frames but there are {expected} masks; {REPAIR}")


def _check_size(size: tuple[int, int], truth: Masks) -> None:
    if size != truth.shape[1:]:
        video, masks = ("x".join(map(str, each)) for each in (size, truth.shape[1:]))
        raise DataError(f"the demo clip is {video} but its masks are {masks}; {REPAIR}")
