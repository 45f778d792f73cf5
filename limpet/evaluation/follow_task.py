"""Run a tracker over one video, giving it each mask in the frame in which its protocol gives it.

Shapes: H W pixels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.tracker_protocol import AnyTracker
from limpet.evaluation.video_task import (
    FrameMasks,
    Ids,
    LabelMap,
    ObjectPlanes,
    TaskObject,
    VideoTask,
    draw_label_map,
)


@dataclass(frozen=True)
class FollowedFrame:
    """The masks of one frame.

    Args:
        index: of the frame.
        masks: at the size of the annotations.
        seconds, steps: time spent in the tracker's steps, and how many there were.
    """

    index: int
    masks: FrameMasks
    seconds: float
    steps: int


class TaskFollower:
    """Follows the objects of one video.

    Args:
        tracker: any tracker; only its ``start``, ``step`` and, for objects that begin later, ``add`` are called.
        task: what is given when.
        apart: follow every object on its own, so that masks may overlap; takes as many times longer.

    Attributes:
        notes: sentences about what could not be given as it is.
        frame_size: (H, W) of the first frame; None before it was read.
    """

    def __init__(self, tracker: AnyTracker[Any], task: VideoTask, apart: bool = False) -> None:
        self.task = task
        self.notes: list[str] = []
        self.frame_size: tuple[int, int] | None = None
        groups = [(each,) for each in task.objects] if apart else [task.objects]
        self._passes = [_Pass(tracker, task, group) for group in groups]

    def __iter__(self) -> Iterator[FollowedFrame]:
        """Every frame that the protocol needs, in turn."""
        for index in range(self.task.length):
            frame = self.task.frame(index)
            if self.frame_size is None:
                self.frame_size = frame.shape[0], frame.shape[1]
            before = [(each.seconds, each.steps) for each in self._passes]
            labels = [each.advance(frame, index) for each in self._passes]
            spent = [
                (each.seconds - a, each.steps - b) for each, (a, b) in zip(self._passes, before, strict=True)
            ]
            yield FollowedFrame(
                index, self._masks(labels), sum(s for s, _ in spent), sum(n for _, n in spent)
            )
        self.notes += [note for each in self._passes for note in each.notes]

    def _masks(self, labels: list[Ids]) -> FrameMasks:
        size = self.task.size
        fitted = [resize_ids(each, size) for each in labels]
        if len(fitted) == 1 and not self.task.overlap:
            return LabelMap(fitted[0])
        planes = {
            each.number: own == each.number
            for one, own in zip(self._passes, fitted, strict=True)
            for each in one.objects
        }
        masks = ObjectPlanes(planes, size)
        return masks if self.task.overlap else LabelMap(draw_label_map(masks, sorted(planes))[0])


class _Pass:
    """One pass of the tracker over the video, with some of its objects."""

    def __init__(self, tracker: AnyTracker[Any], task: VideoTask, objects: tuple[TaskObject, ...]) -> None:
        self.tracker, self.task, self.objects = tracker, task, objects
        self.seconds, self.steps = 0.0, 0
        self.notes: list[str] = []
        self._state: Any = None

    def advance(self, frame: NDArray[np.uint8], index: int) -> Ids:
        """The ids in the next frame: uint8 (H, W), all 0 before the first object begins."""
        labels = np.zeros(frame.shape[:2], np.uint8)
        if self._state is not None:
            begin = time.perf_counter()
            labels, self._state = self.tracker.step(frame, self._state)
            self.seconds += time.perf_counter() - begin
            self.steps += 1
        given = self._given(index, frame.shape[:2])
        if given is None:
            return labels
        if self._state is None:
            self._state = self.tracker.start(frame, given)
            return given
        self._state = self.tracker.add(frame, given, self._state)
        return np.asarray(self._state.mask_array(), np.uint8)

    def _given(self, index: int, size: tuple[int, ...]) -> Ids | None:
        numbers = [each.number for each in self.task.begins.get(index, ()) if each in self.objects]
        if not numbers:
            return None
        labels, shared = draw_label_map(self.task.given(index), numbers)
        if shared:
            self.notes.append(
                f"{self.task.name}: {shared} pixels of the masks given in frame {self.task.frames[index].stem} belong "
                "to several objects: the smaller one has them"
            )
        labels = resize_ids(labels, size)
        lost = [number for number in numbers if not (labels == number).any()]
        if lost:
            ids = ", ".join(str(each.id) for each in self.objects if each.number in lost)
            self.notes.append(
                f"{self.task.name}: nothing is left of the mask given for object {ids}: not followed"
            )
        return labels if labels.any() else None


def resize_ids(mask: Ids, size: tuple[int, ...]) -> Ids:
    """Nearest-neighbour resize of (H, W) ids, for frames that are larger than their annotations."""
    if mask.shape == size:
        return mask
    return np.asarray(cv2.resize(mask, (size[1], size[0]), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
