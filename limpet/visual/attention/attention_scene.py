"""Everything that the attention pictures of one frame are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from limpet.visual.attention.attention_record import AttentionRecord, choose_query
from limpet.visual.attention.motion_record import MotionRecord

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class FrameView:
    """A frame as it is shown: its index in the video, RGB uint8 (H, W, 3), and its masks uint8 (H, W)."""

    index: int
    image: Image
    mask: Image


@dataclass(frozen=True)
class ObjectAttention:
    """What one object attends to.

    record: of the object's group. queries: numbers of its cells in the frame; none where it is not visible.
    """

    object_id: int
    record: AttentionRecord
    queries: NDArray[np.intp]


@dataclass(frozen=True)
class AttentionScene:
    """One frame, what its objects attend to, and the frames that hold the keys.

    now: the frame whose cells are the queries, with its predicted masks.
    records: one for each group of objects.
    views: the frames that hold keys, by the numbers in ``AttentionRecord.key_frames``; those that are shown suffice.
    object_ids: which objects to draw, in this order.
    key_panels: how many frames with keys stand beside the frame: 1 (the oldest) or 2 (also the newest).
    about: model, layer and kind of attention in words, for the caption.
    query: (x, y) in pixels of the frame; None lets each picture choose.
    motion: of models that follow motion; the previous frame is among the views then.
    scales: (stride in pixels, records) of each grid of models that have several.
    """

    now: FrameView
    records: tuple[AttentionRecord, ...]
    views: Mapping[int, FrameView]
    object_ids: tuple[int, ...]
    key_panels: int
    about: str
    query: tuple[float, float] | None = None
    motion: MotionRecord | None = None
    scales: tuple[tuple[int, tuple[AttentionRecord, ...]], ...] = ()

    @cached_property
    def objects(self) -> tuple[ObjectAttention, ...]:
        """The objects to draw, including those that are not visible in this frame."""
        records = {object_id: record for record in self.records for object_id in record.object_ids}
        return tuple(
            ObjectAttention(i, records[i], records[i].cells.of_object(self.now.mask, i))
            for i in self.object_ids
        )

    @property
    def visible_objects(self) -> tuple[ObjectAttention, ...]:
        """The objects to draw that are visible in this frame."""
        return tuple(each for each in self.objects if len(each.queries))

    @property
    def shown_keys(self) -> tuple[int | None, ...]:
        """The frames with keys that are shown: the oldest, and the newest if there is another (else None)."""
        frames = sorted({frame for record in self.records for frame in record.key_frames})
        newest = frames[-1] if len(frames) > 1 else None
        return (frames[0], newest)[: self.key_panels]

    def find_query(self) -> tuple[ObjectAttention, int] | None:
        """The object whose query is shown, and the number of the query's cell.

        The cell that was asked for; or of the first visible object, the cell that attends most to its key points.
        None where no object is visible.
        """
        visible = self.visible_objects
        if self.query is None:
            first = visible[0] if visible else None
            return (first, choose_query(first.record, first.queries)) if first else None
        cell = self.objects[0].record.cells.nearest(self.query, self.now.mask.shape[:2])
        under = [each for each in visible if cell in each.queries]
        return (under or self.objects)[0], cell
