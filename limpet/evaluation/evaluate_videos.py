"""Score a tracker, or masks that were saved before, on videos, each by its protocol.

Frames are read one at a time, so memory does not grow with the video. ``limpet.evaluation.run_evaluation`` does the
same with a folder that can be resumed, and with several processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from limpet.core.tracker_protocol import AnyTracker
from limpet.data.datasets import VideoSequence, require_files
from limpet.evaluation.follow_task import TaskFollower
from limpet.evaluation.protocols.davis import task_of_sequence
from limpet.evaluation.saved_masks import find_predictions, read_scored, save_answer, scored_files
from limpet.evaluation.scores import Scores
from limpet.evaluation.sequence_scorer import SequenceScorer
from limpet.evaluation.video_result import VideoResult, scores_of
from limpet.evaluation.video_task import VideoTask

OnFrame = Callable[[VideoTask, int], None]
"""Called after each frame with the video and the frame's index."""


def evaluate_tracker(
    tracker: AnyTracker[Any],
    dataset: Iterable[VideoSequence | VideoTask],
    *,
    stride: int = 1,
    max_frames: int | None = None,
    max_sequences: int | None = None,
    save_masks: Path | None = None,
    on_frame: OnFrame | None = None,
) -> Scores:
    """Run a tracker over every video and score it.

    Args:
        tracker: any tracker; only its `start`, `step` and `add` are called.
        dataset: sequences, for instance of `evaluation_videos`, which are scored by the protocol of DAVIS; or tasks.
        stride: use every `stride`-th frame of sequences only.
        max_frames: use at most so many frames of a sequence (at least 3).
        max_sequences: use at most so many videos, the first ones.
        save_masks: folder for the masks, as SEQUENCE/FRAME.png, including the first one, which is given.
        on_frame: called after each frame, for progress.

    Returns:
        J and F by object and frame; of sequences, the first and the last frame used are not scored.

    Raises:
        DataError, MaskError: when there is nothing to score or a file cannot be read.
    """
    results = []
    for video in islice(dataset, max_sequences):
        thinned = video.thinned(stride, max_frames) if isinstance(video, VideoSequence) else video
        results.append(run_video(tracker, _task(thinned), save_masks=save_masks, on_frame=on_frame))
    return scores_of(results)


def evaluate_predictions(
    folder: str | Path, dataset: Iterable[VideoSequence | VideoTask], *, on_frame: OnFrame | None = None
) -> Scores:
    """Score masks that lie in FOLDER/SEQUENCE/FRAME.png.

    Raises:
        DataError: when the folder or masks of scored frames are missing (counted and named), or have another size
            than the annotations. MaskError: when a mask cannot be read.
    """
    tasks = [_task(each) for each in dataset]
    folder = find_predictions(Path(folder), tuple(task.name for task in tasks))
    for task in tasks:  # all are checked first, so that a gap is known before the work
        check_predictions(folder, task)
    return scores_of([score_video(folder, task, on_frame=on_frame) for task in tasks])


def run_video(
    tracker: AnyTracker[Any],
    task: VideoTask,
    *,
    save_masks: Path | None = None,
    apart: bool = False,
    on_frame: OnFrame | None = None,
) -> VideoResult:
    """Track one video and score it where its labels are public.

    Args:
        save_masks: folder for the masks that are asked for.
        apart: see ``TaskFollower``.
    """
    scorer, follower = SequenceScorer(task), TaskFollower(tracker, task, apart)
    asked, palette = set(task.answers), task.palette() if save_masks else None
    seconds, steps = 0.0, 0
    for followed in follower:
        seconds, steps = seconds + followed.seconds, steps + followed.steps
        scorer.score(followed.index, followed.masks)
        if save_masks and followed.index in asked:
            save_answer(save_masks, task, followed.index, followed.masks, palette)
        if on_frame:
            on_frame(task, followed.index)
    facts = getattr(tracker, "facts", None)
    size = facts(follower.frame_size).network_size if facts and follower.frame_size else None
    return VideoResult.of(scorer, seconds, steps, (*follower.notes,), size)


def score_video(folder: Path, task: VideoTask, *, on_frame: OnFrame | None = None) -> VideoResult:
    """Score the saved masks of one video. Raises DataError, MaskError."""
    scorer = SequenceScorer(task)
    for index in task.measured:
        scorer.score(index, read_scored(folder, task, index))
        if on_frame:
            on_frame(task, index)
    return VideoResult.of(scorer)


def check_predictions(folder: Path, task: VideoTask) -> None:
    """Raises DataError where masks of scored frames are missing; counts and names them."""
    paths = [path for index in task.scored for path in scored_files(folder, task, index).values()]
    if paths:
        require_files(tuple(paths), f"sequence '{task.name}' lacks the predictions of")


def _task(video: VideoSequence | VideoTask) -> VideoTask:
    return task_of_sequence(video) if isinstance(video, VideoSequence) else video
