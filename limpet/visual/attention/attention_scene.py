"""All that the pictures of one frame are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from limpet.visual.attention.attention_record import Seen
from limpet.visual.attention.values import choose_query

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class View:
    """A frame as it is shown: its index in the video, RGB uint8 (H, W, 3), and its masks uint8 (H, W)."""

    index: int
    image: Image
    mask: Image


@dataclass(frozen=True)
class Subject:
    """What an object looks at.

    queries: numbers of its cells in the frame; none where it is not seen.
    """

    object_id: int
    seen: Seen
    queries: NDArray[np.intp]


@dataclass(frozen=True)
class Scene:
    """One frame, what its objects look at, and the frames that hold the keys.

    now: the frame whose cells are the queries, with its predicted masks.
    seen: one value for each group of objects.
    views: the frames that hold keys, by the numbers in ``Seen.key_frames``; those that are shown are enough.
    object_ids: which objects to draw, in this order.
    key_panels: how many frames with keys stand beside the frame: 1, the oldest, or 2, and the newest.
    about: model, layer and kind in words, for the caption.
    query: (x, y) in pixels of the frame; None lets each picture choose.
    """

    now: View
    seen: tuple[Seen, ...]
    views: Mapping[int, View]
    object_ids: tuple[int, ...]
    key_panels: int
    about: str
    query: tuple[float, float] | None = None

    @cached_property
    def subjects(self) -> tuple[Subject, ...]:
        """The objects to draw, those too that are not seen in this frame."""
        groups = {object_id: seen for seen in self.seen for object_id in seen.object_ids}
        return tuple(
            Subject(i, groups[i], groups[i].cells.of_object(self.now.mask, i)) for i in self.object_ids
        )

    @property
    def seen_subjects(self) -> tuple[Subject, ...]:
        """The objects to draw that are seen in this frame."""
        return tuple(subject for subject in self.subjects if len(subject.queries))

    @property
    def shown_keys(self) -> tuple[int | None, ...]:
        """The frames with keys that are shown: the oldest, and the newest if there is another (else None)."""
        frames = sorted({frame for seen in self.seen for frame in seen.key_frames})
        newest = frames[-1] if len(frames) > 1 else None
        return (frames[0], newest)[: self.key_panels]

    def find_query(self) -> tuple[Subject, int] | None:
        """Whose query is shown, and the number of its cell.

        The cell that was asked for; or of the first object that is seen, the cell that reads its key points most.
        None where no object is seen.
        """
        there = self.seen_subjects
        if self.query is None:
            return (there[0], choose_query(there[0].seen, there[0].queries)) if there else None
        cell = self.subjects[0].seen.cells.nearest(self.query, self.now.mask.shape[:2])
        under = [subject for subject in there if cell in subject.queries]
        return (under or self.subjects)[0], cell
