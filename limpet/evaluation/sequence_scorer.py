"""J and F of every object of one video, frame after frame, by the rules of its task.

Shapes: H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from limpet.core.masks import VOID
from limpet.evaluation.hota import ClassTracks, TrackClass, TrackFrame, box_overlap
from limpet.evaluation.metrics import region_similarity
from limpet.evaluation.scores import ObjectScores
from limpet.evaluation.video_task import Flags, FrameMasks, Ids, LabelMap, TaskObject, VideoTask
from limpet.exchange.coco_rle import bounding_box, mask_counts


@dataclass
class _Series:
    """What was measured of one object so far.

    visible: whether the truth shows it. found: whether truth or prediction do.
    """

    frames: list[int] = field(default_factory=list)
    region: list[float] = field(default_factory=list)
    boundary: list[float] = field(default_factory=list)
    visible: list[bool] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)


class SequenceScorer:
    """Scores one video.

    Args:
        task: says in which frames which objects are scored.
    """

    def __init__(self, task: VideoTask) -> None:
        self.task = task
        self._series = {each.number: _Series() for each in task.objects}
        self._unscored: dict[str, set[int]] = {"annotations": set(), "predictions": set()}
        self._tracks: dict[TrackClass, list[TrackFrame]] = {
            each: [] for each in task.track_classes.values() if each.measured
        }

    def score(self, index: int, prediction: FrameMasks | Ids) -> None:
        """Add J and F of the objects that are scored in this frame; there may be none.

        Args:
            prediction: the masks of frame ``index`` at the size of its annotation; an array holds one id per pixel.
        """
        if index not in self.task.measured:
            return
        objects = self.task.scored.get(index, ())
        truth = self.task.masks.read(index)
        found = prediction
        if isinstance(found, np.ndarray):
            found = LabelMap(found, merged=self.task.any_id)
        self._compare_tracks(index, truth, found)
        void = truth.void()
        for each in objects:
            a, b = truth.plane(each.number), found.plane(each.number)
            region, boundary = self.task.measure(a, b, void)
            series = self._series[each.number]
            series.frames.append(index)
            series.region.append(region)
            series.boundary.append(boundary)
            series.visible.append(bool(a.any()))
            series.found.append(series.visible[-1] or bool(b.any()))
        self._note_unscored(truth, found)

    def tracks(self) -> tuple[ClassTracks, ...]:
        """What HOTA is made of, by class; nothing where the task has no classes."""
        return tuple(
            ClassTracks(each.name, each.group, tuple(frames)) for each, frames in self._tracks.items()
        )

    def objects(self) -> list[ObjectScores]:
        """The scores of each object; without those that no scored frame was left for (``notes`` tells)."""
        scores = (self._scores(each) for each in self.task.objects)
        return [each for each in scores if each.region]

    def notes(self) -> list[str]:
        """Sentences about what was found but not scored."""
        known = {each.begins for each in self.task.objects}
        where_not = "not in the first annotation" if known == {0} else "not given in any frame"
        lines = [*self.task.notes]
        lines += [
            f"{self.task.name}: {where} hold {_ids(numbers)}, {where_not}: not scored"
            for where, numbers in self._unscored.items()
            if numbers
        ]
        for each in self.task.objects:
            if self.task.labelled and not self._scores(each).region:
                lines.append(f"{self.task.name}: object {each.id} is in no scored frame: not scored")
        return lines

    def _scores(self, each: TaskObject) -> ObjectScores:
        series = self._series[each.number]
        begin = 0
        if self.task.from_first_sight:
            seen = series.found.index(True) if any(series.visible) else len(series.found)
            begin = seen
        names = self.task.names(tuple(series.frames[begin:]))
        none = (0.0,) * each.zeros
        return ObjectScores(
            self.task.name,
            each.id,
            (*series.region[begin:], *none),
            (*series.boundary[begin:], *none),
            (*names, *("",) * each.zeros),
            (*series.visible[begin:], *(True,) * each.zeros),
            each.seen,
            each.category,
        )

    def _compare_tracks(self, index: int, truth: FrameMasks, found: FrameMasks) -> None:
        """Add the overlaps of the tracks of each class. A frame in which the truth shows no track does not count."""
        begun = [each.number for each in self.task.objects if each.begins <= index]
        classes = self.task.track_classes
        shown = {
            number: plane for number in begun if number in classes and (plane := truth.plane(number)).any()
        }
        if not shown:
            return
        drawn = {
            number: plane for number in begun if number in classes and (plane := found.plane(number)).any()
        }
        for each, frames in self._tracks.items():
            a, b = ({n: p for n, p in planes.items() if classes[n] == each} for planes in (shown, drawn))
            masks = tuple(tuple(region_similarity(x, y) for y in b.values()) for x in a.values())
            boxes = tuple(tuple(box_overlap(_box(x), _box(y)) for y in b.values()) for x in a.values())
            if a or b:
                frames.append(TrackFrame(tuple(a), tuple(b), masks, boxes))

    def _note_unscored(self, truth: FrameMasks, found: FrameMasks) -> None:
        if self.task.overlap:
            return
        known = {VOID, *(each.number for each in self.task.objects)}
        for where, masks in (("annotations", truth), ("predictions", found)):
            if isinstance(masks, LabelMap) and not masks.merged:
                self._unscored[where] |= masks.numbers() - known


def _box(plane: Flags) -> tuple[int, int, int, int]:
    return bounding_box(mask_counts(plane), plane.shape[0])


def _ids(numbers: set[int]) -> str:
    return ("id " if len(numbers) == 1 else "ids ") + ", ".join(map(str, sorted(numbers)))
