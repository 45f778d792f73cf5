"""``limpet visualise``: a clip is tracked as ever, and what the model looks at is drawn beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.errors import MaskError, ModelError, VideoError
from limpet.state import TrackerState
from limpet.tracking.groups import object_ids
from limpet.tracking.look import look
from limpet.tracking.session import follow
from limpet.tracking.tracker import Tracker
from limpet.tracking.wish import Wish
from limpet.video.base import Frame, VideoReader
from limpet.video.gallery import Gallery
from limpet.video.masks import read_mask
from limpet.video.reader import open_video
from limpet.visual.attention.kinds import DRAW
from limpet.visual.attention.scene import Scene, View
from limpet.visual.attention.sheet import panel_size, resized

Mask = NDArray[np.uint8]
OnFrame = Callable[[int, int | None, int], None]
"""Takes the frames done, the frames to come in all if that is known, and the frames drawn."""


@dataclass(frozen=True)
class VisualiseResult:
    """What was made.

    folder: where. kinds: those that were drawn. pictures: PNG files. frames: of the clip that were drawn.
    notices: what else to know. problems: those that leave a part of the wish undone.
    """

    folder: Path
    kinds: tuple[str, ...]
    pictures: int
    frames: int
    notices: tuple[str, ...]
    problems: tuple[str, ...]


def visualise(
    video: str | Path,
    mask: str | Path,
    out: str | Path,
    *,
    tracker: Callable[[], Tracker],
    wish: Wish | None = None,
    resize_mask: bool = False,
    overwrite: bool = False,
    on_frame: OnFrame | None = None,
) -> VisualiseResult:
    """Track a clip, and draw what the model looks at.

    Args:
        video, mask, resize_mask: as for ``limpet.track``.
        out: folder for KIND/00010.png, KIND.mp4 and visualise.json.
        tracker: makes one; called once the input is known to be good.
        wish: what to draw; all kinds unless told otherwise.
        overwrite: replace what an earlier call left in ``out``.
        on_frame: called after each frame.

    Raises:
        VideoError, MaskError, ModelError, OutputError, WeightsError: each says what to do. What was drawn stays.
    """
    wish = wish or Wish()
    with open_video(video) as reader:
        first_mask = read_mask(mask, reader.size, resize_mask=resize_mask)
        _check(wish, reader.size, object_ids(first_mask))
        gallery = Gallery(
            out, tuple(DRAW), frame_rate=reader.frame_rate, movies=wish.movies, overwrite=overwrite
        )
        work = _Work(reader, tracker(), wish, gallery)
        gallery.describe(work.facts())
        with gallery:
            work.run(first_mask, on_frame)
        return work.result()


class _Work:
    """From the first frame to the last that is drawn."""

    def __init__(self, reader: VideoReader, tracker: Tracker, wish: Wish, gallery: Gallery) -> None:
        self._reader, self._tracker, self._wish, self._gallery = reader, tracker, wish, gallery
        self._key_panels = 1 if wish.kind == "self" or tracker.memory.gap is None else 2
        self._kinds = wish.what
        self._views: dict[int, View] = {}
        self._drawn: list[int] = []
        self._last = 0

    def facts(self) -> dict[str, Any]:
        """For visualise.json."""
        tracker = self._tracker
        about = {"source": self._reader.name, "model": tracker.name, "weights_sha256": tracker.weights_sha256}
        return about | asdict(self._wish)

    def run(self, first_mask: Mask, on_frame: OnFrame | None) -> None:
        before: TrackerState | None = None
        for frame, labels, state in follow(self._reader, first_mask, self._tracker):
            if frame.image is not None:
                now = View(frame.index, frame.image, labels)
                if before is not None and self._wish.needs(frame.index):
                    self._draw(frame, now, before)
                self._keep(now, state)
                before = state
            self._last = frame.index
            if on_frame is not None:
                on_frame(frame.index + 1, self._reader.frame_count, len(self._drawn))
            if self._wish.ends(frame.index):
                return

    def result(self) -> VisualiseResult:
        wish, gallery = self._wish, self._gallery
        missed = sorted(set(wish.frames or ()) - set(self._drawn))
        problems = [self._why_missed(index) for index in missed]
        if not self._drawn and not problems:
            problems.append(
                f"nothing was drawn: {self._reader.name} has {self._count()}, of which none was chosen"
            )
        notices = (*self._reader.failures, *gallery.notices)
        return VisualiseResult(
            gallery.path, self._kinds, gallery.pictures, len(self._drawn), notices, tuple(problems)
        )

    def _draw(self, frame: Frame, now: View, before: TrackerState) -> None:
        scene = self._scene(now, before)
        if "grid" in self._kinds and all(seen.points is None for seen in scene.seen):
            self._leave_out_grid()
        for kind in self._kinds:
            picture = DRAW[kind](scene)
            if picture is not None:
                still = self._wish.is_still(frame.index)
                self._gallery.add(kind, frame.index, frame.time, picture, still=still)
        self._drawn.append(frame.index)

    def _scene(self, now: View, before: TrackerState) -> Scene:
        wish = self._wish
        seen = look(self._tracker, now.image, before, wish.layer, wish.kind)
        ids = before.object_ids if wish.object_id is None else (wish.object_id,)
        views = {before.frame_index + 1: now} if wish.kind == "self" else self._views
        return Scene(now, seen, views, ids, self._key_panels, self._about(), wish.query)

    def _keep(self, view: View, state: TrackerState) -> None:
        """Keep the frames that are in a memory, no larger than they are drawn."""
        size = panel_size(view.mask.shape[:2], 1 + self._key_panels)
        small = View(view.index, resized(view.image, size), resized(view.mask, size, nearest=True))
        held = {stored.index for group in state.groups for stored in group.frames}
        self._views = {index: self._views.get(index, small) for index in held}

    def _leave_out_grid(self) -> None:
        name = self._tracker.name or "the model"
        reason = f"{name} reads every cell, and has no deformed grid to draw; models that do: *-deformable"
        self._kinds = tuple(kind for kind in self._kinds if kind != "grid")
        if not self._kinds:
            raise ModelError(reason)
        self._gallery.notices.append(reason)

    def _about(self) -> str:
        layers, kind = self._tracker.config.layers, self._wish.kind
        layer = f", layer {self._wish.layer % layers} of 0 to {layers - 1}" if layers > 1 else ""
        return f"{self._tracker.name}{layer}, {kind} attention"

    def _why_missed(self, index: int) -> str:
        why = "it could not be decoded" if index <= self._last else f"{self._reader.name} has {self._count()}"
        return f"frame {index} was not drawn: {why}"

    def _count(self) -> str:
        return f"{self._last + 1} frames, 0 to {self._last}"


def _check(wish: Wish, size: tuple[int, int], ids: Sequence[int]) -> None:
    if wish.object_id is not None and wish.object_id not in ids:
        raise MaskError(f"the mask holds no object {wish.object_id}; it has {', '.join(map(str, ids))}")
    if wish.query is not None:
        x, y = wish.query
        if not (0 <= x < size[1] and 0 <= y < size[0]):
            raise VideoError(
                f"the query {x:g},{y:g} lies outside the frame, which is {size[1]} wide and {size[0]} high"
            )
