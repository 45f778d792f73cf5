"""What a protocol asks of one video: which masks are given in which frames, which are asked for, and which are scored.

Benchmarks of video object segmentation differ in nothing else: an object may begin in the middle of a video, ids may
have holes, masks may overlap, and not every frame that a tracker sees has to be answered or is scored.

Shapes: T frames, N objects, H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import DataError
from limpet.core.masks import MAX_ID, VOID, read_ids
from limpet.core.picture_files import open_image
from limpet.data.datasets import read_frame
from limpet.evaluation.hota import TrackClass
from limpet.evaluation.metrics import region_and_boundary

Ids = NDArray[np.uint8]
Flags = NDArray[np.bool_]
FrameMeasure = Callable[[Flags, Flags, Flags | None], tuple[float, float]]
"""J and F of an object from truth, prediction and void pixels, bool (H, W) each."""


class FrameMasks(Protocol):
    """The masks of all objects in one frame."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""

    def plane(self, number: int) -> Flags:
        """The mask of one object: bool (H, W)."""

    def void(self) -> Flags | None:
        """Pixels that count for nothing: bool (H, W); None where there are none."""

    def numbers(self) -> set[int]:
        """The objects that are shown."""


@dataclass(frozen=True)
class LabelMap:
    """One id per pixel; masks cannot overlap.

    Args:
        labels: uint8 (H, W), 0 is background.
        has_void: 255 marks pixels that count for nothing. Otherwise it is an object like any other.
        merged: all pixels above 0 are one object, whatever its number.
    """

    labels: Ids
    has_void: bool = False
    merged: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.labels.shape[0], self.labels.shape[1]

    def plane(self, number: int) -> Flags:
        """The mask of one object: bool (H, W); empty where it is not shown."""
        found: Flags = self.labels > 0 if self.merged else self.labels == number
        return found

    def void(self) -> Flags | None:
        """Pixels that count for nothing, bool (H, W); None where there are none."""
        if not self.has_void:
            return None
        void: Flags = self.labels == VOID
        return void if void.any() else None

    def numbers(self) -> set[int]:
        """The objects that are shown."""
        counts = cv2.calcHist(
            [self.labels], [0], None, [MAX_ID + 1], [0, MAX_ID + 1]
        )  # ten times np.unique's speed
        return set(np.flatnonzero(counts).tolist()) - ({0, VOID} if self.has_void else {0})


@dataclass(frozen=True)
class ObjectPlanes:
    """One mask per object; masks may overlap.

    Args:
        planes: number of the object -> bool (H, W). An object that is missing is not shown.
        size: (H, W) in pixels.
    """

    planes: Mapping[int, Flags]
    size: tuple[int, int]

    def plane(self, number: int) -> Flags:
        """The mask of one object: bool (H, W); empty where it is not shown."""
        found = self.planes.get(number)
        return np.zeros(self.size, np.bool_) if found is None else found

    def void(self) -> Flags | None:
        """Pixels that count for nothing, bool (H, W); None where there are none."""
        return None

    def numbers(self) -> set[int]:
        """The objects that are shown."""
        return {number for number, plane in self.planes.items() if plane.any()}


class MaskSource(Protocol):
    """Where the masks of a video lie."""

    def read(self, index: int) -> FrameMasks:
        """The masks of the frame with this index. Raises DataError or MaskError where they cannot be read."""


@dataclass(frozen=True)
class LabelMapFiles:
    """One indexed PNG per frame.

    Args:
        paths: index of the frame -> file.
        has_void, merged: see ``LabelMap``.
    """

    paths: Mapping[int, Path]
    has_void: bool = False
    merged: bool = False

    def read(self, index: int) -> LabelMap:
        """The masks of the frame with this index. Raises DataError or MaskError where they cannot be read."""
        return LabelMap(read_ids(self.paths[index]), self.has_void, self.merged)


@dataclass(frozen=True)
class ObjectMaskFiles:
    """One binary PNG per object and frame, as SA-V has them.

    Args:
        paths: number of the object -> index of the frame -> file.
    """

    paths: Mapping[int, Mapping[int, Path]]

    def read(self, index: int) -> ObjectPlanes:
        """The masks of the frame with this index. Raises DataError or MaskError where they cannot be read."""
        found = {number: read_ids(files[index]) > 0 for number, files in self.paths.items() if index in files}
        sizes = {plane.shape for plane in found.values()}
        if len(sizes) != 1:
            files = [str(each[index]) for each in self.paths.values() if index in each]
            raise DataError(
                f"the masks of one frame have several sizes, or there is none: {', '.join(files)}"
            )
        height, width = sizes.pop()
        return ObjectPlanes(found, (height, width))


@dataclass(frozen=True)
class TaskObject:
    """One object of a video.

    Args:
        id: as the data set counts it.
        number: in the label maps of the tracker, 1 to 255.
        begins: index of the frame whose mask is given.
        scored: indexes of the frames that are scored, ascending; empty where labels are withheld.
        seen: whether training shows its category; None where that is not known, or not asked.
        category: as the data set names it.
        zeros: how many values of 0 the protocol adds to those of the scored frames.
    """

    id: int
    number: int
    begins: int = 0
    scored: tuple[int, ...] = ()
    seen: bool | None = None
    category: str = ""
    zeros: int = 0


@dataclass(frozen=True)
class VideoTask:
    """One video as its protocol treats it. Only paths are held; files are read one at a time.

    Args:
        name: unique in its split.
        frames: all that the tracker sees, T files.
        objects: N objects. They have different numbers.
        masks: given and, where labels are public, true masks.
        answers: indexes of the frames whose masks are asked for, ascending.
        labelled: whether the labels are public, so that the video can be scored here.
        any_id: the only object may be drawn with any id in saved masks, as DAVIS-2016's are.
        from_first_sight: an object is scored from the first of its frames on that shows it in truth or prediction.
        overlap: masks may overlap, and every object has files of its own.
        folders: number of the object -> name of the folder of its files, where masks may overlap.
        measure: J and F of one object in one frame.
        notes: sentences about what the data set names but does not have.
        track_classes: number of the object -> its class, where HOTA is measured: over the frames that are asked for.
    """

    name: str
    frames: tuple[Path, ...]
    objects: tuple[TaskObject, ...]
    masks: MaskSource
    answers: tuple[int, ...]
    labelled: bool = True
    any_id: bool = False
    from_first_sight: bool = False
    overlap: bool = False
    folders: Mapping[int, str] = field(default_factory=dict)
    measure: FrameMeasure = region_and_boundary
    notes: tuple[str, ...] = ()
    track_classes: Mapping[int, TrackClass] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        numbers = [each.number for each in self.objects]
        if len(set(numbers)) != len(numbers) or not all(1 <= number <= MAX_ID for number in numbers):
            raise DataError(
                f"video '{self.name}' has {len(numbers)} objects with the numbers {numbers[:5]} …; "
                f"expected at most {MAX_ID} different ones from 1 to {MAX_ID}"
            )

    @cached_property
    def begins(self) -> Mapping[int, tuple[TaskObject, ...]]:
        """Index of a frame whose mask is given -> the objects that begin there."""
        starts = sorted({each.begins for each in self.objects})
        return {index: tuple(o for o in self.objects if o.begins == index) for index in starts}

    @cached_property
    def scored(self) -> Mapping[int, tuple[TaskObject, ...]]:
        """Index of a scored frame -> the objects that are scored there, ascending."""
        found: dict[int, list[TaskObject]] = {}
        for each in self.objects:
            for index in each.scored:
                found.setdefault(index, []).append(each)
        return {index: tuple(found[index]) for index in sorted(found)}

    @cached_property
    def measured(self) -> tuple[int, ...]:
        """The frames whose masks are compared with the truth, ascending."""
        return tuple(sorted({*self.scored, *(self.answers if self.track_classes else ())}))

    @cached_property
    def size(self) -> tuple[int, int]:
        """(H, W) of the masks, as given in the first frame that has any."""
        return self.masks.read(min(self.begins)).size

    @property
    def length(self) -> int:
        """How many frames the tracker has to see: up to the last one that is asked for or scored."""
        return max([*self.answers, *self.scored, *self.begins], default=-1) + 1

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Frame ``index``: uint8 (H, W, 3) RGB. Raises DataError where it cannot be read; names the file."""
        return read_frame(self.frames[index])

    def given(self, index: int) -> FrameMasks:
        """The masks of the objects that begin in frame ``index``, and of no other ones."""
        masks = self.masks.read(index)
        return ObjectPlanes({o.number: masks.plane(o.number) for o in self.begins[index]}, masks.size)

    def names(self, indexes: tuple[int, ...]) -> tuple[str, ...]:
        """Names of frames, without their suffixes."""
        return tuple(self.frames[index].stem for index in indexes)

    def palette(self) -> list[int] | None:
        """The colours of the masks that are given, 3 values for each id; None where they have none."""
        if not isinstance(self.masks, LabelMapFiles):
            return None
        with open_image(self.masks.paths[min(self.begins)]) as image:
            return image.getpalette("RGB") if image.mode == "P" else None


def values_in(labels: Ids) -> set[int]:
    """The values of uint8 (H, W), ten times as fast as np.unique."""
    counts = cv2.calcHist([labels], [0], None, [MAX_ID + 1], [0, MAX_ID + 1])
    return set(np.flatnonzero(counts).tolist())


def draw_label_map(masks: FrameMasks, numbers: list[int]) -> tuple[Ids, int]:
    """One id per pixel: uint8 (H, W), and how many pixels belong to several objects.

    Where masks overlap, the smaller one lies on top, so that a hand does not vanish in its person.
    """
    planes = {number: masks.plane(number) for number in numbers}
    labels = np.zeros(masks.size, np.uint8)
    for number in sorted(planes, key=lambda each: -int(planes[each].sum())):
        labels[planes[number]] = number
    total = sum(int(plane.sum()) for plane in planes.values())
    return labels, total - int(np.count_nonzero(labels))


def check_name(name: str) -> None:
    """Raises DataError for a video whose name would lead out of a folder of results."""
    parts = PurePosixPath(name).parts
    if not parts or "\\" in name or any(part in ("..", "/", ".") for part in parts):
        raise DataError(f"the data set names a video '{name}', which is not the name of a folder")


def objects_of(labels: NDArray[Any], has_void: bool = True) -> list[int]:
    """The ids in a mask, ascending, without background and void."""
    return sorted(LabelMap(labels, has_void).numbers())
