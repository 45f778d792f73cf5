"""The semi-supervised protocol of DAVIS: the first mask is given, all later frames but the last are scored.

Frames are read one at a time, so memory does not grow with the video. `evaluate_tracker` runs a tracker,
`evaluate_predictions` reads masks that were saved before; both score with `SequenceScorer`.

Shapes: H W pixels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import DataError
from limpet.core.masks import VOID, read_ids, write_mask
from limpet.core.tracker_protocol import AnyTracker
from limpet.data.datasets import VideoSequence, require_files
from limpet.evaluation.metrics import boundary_accuracy, region_similarity
from limpet.evaluation.scores import ObjectScores, Scores

Ids = NDArray[np.uint8]

OnFrame = Callable[[VideoSequence, int], None]
"""Called after each frame with the sequence and the frame's index."""


class SequenceScorer:
    """Scores one sequence, frame after frame.

    Args:
        sequence: its first annotation says which objects are scored.

    Raises:
        DataError: the first annotation holds no object.
    """

    def __init__(self, sequence: VideoSequence) -> None:
        self.sequence = sequence
        first = sequence.mask(0)
        found = [int(number) for number in np.unique(first) if number]
        if not found:
            raise DataError(f"sequence '{sequence.name}': its first annotation holds no object")
        self.merged = sequence.one_object or found == [VOID]
        self.ids = found[:1] if self.merged else [number for number in found if number != VOID]
        self.size = first.shape
        self.region: dict[int, list[float]] = {number: [] for number in self.ids}
        self.boundary: dict[int, list[float]] = {number: [] for number in self.ids}
        self._unscored_ids: dict[str, set[int]] = {"annotations": set(), "predictions": set()}

    def given(self) -> Ids:
        """The first mask as it is given to the tracker: (H, W) uint8 ids without void pixels."""
        mask = self.sequence.mask(0)
        if self.merged:
            return np.where(mask > 0, self.ids[0], 0).astype(np.uint8)
        return np.where(mask == VOID, 0, mask).astype(np.uint8)

    def score(self, index: int, prediction: Ids) -> None:
        """Add the frame's J and F of every object; `prediction` has the annotation's size."""
        truth = self.sequence.mask(index)
        if not self.merged:
            self._note_unscored_ids(truth, prediction)
        void = None if self.merged or not (truth == VOID).any() else truth == VOID
        for number in self.ids:
            a = truth > 0 if self.merged else truth == number
            # with one object it does not matter with which id or grey value it was drawn
            b = prediction > 0 if len(self.ids) == 1 else prediction == number
            self.region[number].append(region_similarity(a, b, void))
            self.boundary[number].append(boundary_accuracy(a, b, void=void))

    def objects(self) -> list[ObjectScores]:
        """The scores of each object in the frames scored so far."""
        return [
            ObjectScores(self.sequence.name, number, tuple(self.region[number]), tuple(self.boundary[number]))
            for number in self.ids
        ]

    def notes(self) -> list[str]:
        """One sentence for all ids that were found in the masks but not scored."""
        return [
            f"{self.sequence.name}: {where} hold {_ids(numbers)}, not in the first annotation: not scored"
            for where, numbers in self._unscored_ids.items()
            if numbers
        ]

    def _note_unscored_ids(self, truth: Ids, prediction: Ids) -> None:
        known = {0, VOID, *self.ids}
        self._unscored_ids["annotations"] |= set(np.unique(truth).tolist()) - known
        if len(self.ids) > 1:
            self._unscored_ids["predictions"] |= set(np.unique(prediction).tolist()) - known


def evaluate_tracker(
    tracker: AnyTracker[Any],
    dataset: Iterable[VideoSequence],
    *,
    stride: int = 1,
    max_frames: int | None = None,
    max_sequences: int | None = None,
    save_masks: Path | None = None,
    on_frame: OnFrame | None = None,
) -> Scores:
    """Run a tracker over every sequence and score it.

    Args:
        tracker: any tracker; only its `start` and `step` are called.
        dataset: sequences, for instance of `evaluation_videos`.
        stride: use every `stride`-th frame only.
        max_frames: use at most so many frames of a sequence (at least 3).
        max_sequences: use at most so many sequences, the first ones.
        save_masks: folder for the masks, as SEQUENCE/FRAME.png, including the first one, which is given.
        on_frame: called after each frame, for progress.

    Returns:
        J and F by object and frame; the first and the last frame used are not scored.

    Raises:
        DataError, MaskError: when there is nothing to score or a file cannot be read.
    """
    scorers = []
    frames: dict[str, tuple[str, ...]] = {}
    seconds = 0.0
    for sequence in islice(dataset, max_sequences):
        part = sequence.thinned(stride, max_frames)
        frames[part.name] = scored_names(part)
        scorers.append(SequenceScorer(part))
        seconds += _track(tracker, scorers[-1], save_masks, on_frame)
    steps = sum(len(scorer.sequence) - 1 for scorer in scorers)
    return _gather(scorers, frames, seconds, steps)


def evaluate_predictions(
    folder: str | Path, dataset: Iterable[VideoSequence], *, on_frame: OnFrame | None = None
) -> Scores:
    """Score masks that lie in FOLDER/SEQUENCE/FRAME.png.

    Raises:
        DataError: when the folder or masks of scored frames are missing (counted and named), or have another size
            than the annotations. MaskError: when a mask cannot be read.
    """
    folder, sequences = Path(folder), list(dataset)
    if not folder.is_dir():
        raise DataError(f"there is no folder of predictions {folder}; expected SEQUENCE/FRAME.png in it")
    for sequence in sequences:  # all are checked first, so that a gap is known before the work
        paths = tuple(folder / sequence.name / f"{name}.png" for name in scored_names(sequence))
        require_files(paths, f"sequence '{sequence.name}' lacks the predictions of")
    scorers, frames = [], {}
    for sequence in sequences:
        frames[sequence.name] = scored_names(sequence)
        scorers.append(SequenceScorer(sequence))
        for index, name in enumerate(frames[sequence.name], start=1):
            scorers[-1].score(
                index, _read_prediction(folder / sequence.name / f"{name}.png", scorers[-1].size)
            )
            if on_frame:
                on_frame(sequence, index)
    return _gather(scorers, frames)


def scored_names(sequence: VideoSequence) -> tuple[str, ...]:
    """Names of the frames that count: all but the first and the last."""
    if len(sequence) < 3:
        raise DataError(
            f"sequence '{sequence.name}' has {len(sequence)} frames to use; at least 3 are needed, "
            f"since the first and the last are not scored"
        )
    return tuple(path.stem for path in sequence.frames[1:-1])


def resize_ids(mask: Ids, size: tuple[int, ...]) -> Ids:
    """Nearest-neighbour resize of (H, W) ids, for frames that are larger than their annotations."""
    if mask.shape == size:
        return mask
    return np.asarray(cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


def _track(
    tracker: AnyTracker[Any], scorer: SequenceScorer, save_to: Path | None, on_frame: OnFrame | None
) -> float:
    """Track and score one sequence; returns the seconds spent in the tracker's steps."""
    sequence, seconds, state = scorer.sequence, 0.0, None
    for index in range(len(sequence)):
        frame = sequence.frame(index)
        if index == 0:
            mask = resize_ids(scorer.given(), frame.shape[:2])
            state = tracker.start(frame, mask)
        else:
            begin = time.perf_counter()
            mask, state = tracker.step(frame, state)
            seconds += time.perf_counter() - begin
            if index < len(sequence) - 1:
                scorer.score(index, resize_ids(mask, scorer.size))
        if save_to:
            target = save_to / sequence.name / f"{sequence.frames[index].stem}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            write_mask(target, mask)
        if on_frame:
            on_frame(sequence, index)
    return seconds


def _read_prediction(path: Path, size: tuple[int, ...]) -> Ids:
    """A saved mask, which must have the annotation's size."""
    mask = read_ids(path)
    if mask.shape != size:
        found, expected = ("x".join(map(str, shape)) for shape in (mask.shape, size))
        raise DataError(f"the prediction {path} is {found}, its annotation {expected}; save it at that size")
    return mask


def _gather(
    scorers: list[SequenceScorer], frames: dict[str, tuple[str, ...]], seconds: float = 0.0, steps: int = 0
) -> Scores:
    objects = tuple(scores for scorer in scorers for scores in scorer.objects())
    notes = tuple(note for scorer in scorers for note in scorer.notes())
    return Scores(objects, frames, seconds, steps, notes)


def _ids(numbers: set[int]) -> str:
    return ("id " if len(numbers) == 1 else "ids ") + ", ".join(map(str, sorted(numbers)))
