"""``limpet visualise``: a clip is tracked, and what the model attends to is drawn beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.attention_map import MapKind
from limpet.core.errors import MaskError, ModelError, VideoError
from limpet.core.groups import object_ids
from limpet.core.masks import read_mask
from limpet.results.gallery import Gallery
from limpet.state import TrackerState
from limpet.tracking.load import load
from limpet.tracking.session import follow
from limpet.tracking.step_attention import attention_of_step, motion_of_step
from limpet.tracking.tracker import Tracker
from limpet.video.open import open_video
from limpet.video.video_reader import Frame, VideoReader
from limpet.visual.attention.attention_scene import AttentionScene, FrameView
from limpet.visual.attention.kinds import KINDS, kinds_of
from limpet.visual.attention.motion_pictures import STRIDES
from limpet.visual.attention.panels import panel_size, resized

Mask = NDArray[np.uint8]
OnFrame = Callable[[int, int | None, int], None]
"""Takes the frames done, the frames to come in all if that is known, and the frames drawn."""


@dataclass(frozen=True)
class VisualiseConfig:
    """What to draw.

    >>> config = VisualiseConfig(what=("maps",), every=20)
    >>> [index for index in range(1, 60) if config.is_still(index)]
    [20, 40]

    what: kinds of pictures, keys of KINDS; None draws all that suit the model.
    layer: counted from 0; -1 is the last. kind: of the attention, "long-term" or "self".
    object_id: draw one object; None draws all objects of the mask (for a query, one of them).
    query: (x, y) in pixels of the frame; None chooses the cell of the object that attends most to its key points.
    frames: which to keep as PNG; None keeps every ``every``-th.
    movies: also write a video of each kind.

    Raises:
        ModelError: there is no such kind of picture.
        VideoError: ``frames`` holds frame 0, or ``every`` is below 1.
    """

    what: tuple[str, ...] | None = None
    layer: int = -1
    kind: MapKind = "long-term"
    object_id: int | None = None
    query: tuple[float, float] | None = None
    frames: tuple[int, ...] | None = None
    every: int = 10
    movies: bool = True

    def __post_init__(self) -> None:
        unknown = [name for name in self.what or () if name not in KINDS]
        if unknown or self.what == ():
            raise ModelError(f"there is no picture {', '.join(unknown)!r}; choose from {', '.join(KINDS)}")
        if self.frames is not None and any(index < 1 for index in self.frames):
            raise VideoError(
                f"frame {min(self.frames)} cannot be drawn: the masks of frame 0 are given, and attention begins "
                f"with frame 1"
            )
        if self.every < 1:
            raise VideoError(f"every is {self.every}; expected 1 or more")

    def is_still(self, index: int) -> bool:
        """Whether a frame is kept as PNG."""
        return index in self.frames if self.frames is not None else index % self.every == 0

    def needs(self, index: int) -> bool:
        """Whether anything is drawn of a frame."""
        return index > 0 and (self.movies or self.is_still(index))

    def ends(self, index: int) -> bool:
        """Whether nothing is drawn of any frame after this one."""
        return not self.movies and self.frames is not None and index >= max(self.frames, default=0)


@dataclass(frozen=True)
class VisualiseResult:
    """What was made.

    >>> VisualiseResult(Path("out"), ("maps",), pictures=8, frames=87, notices=(), problems=()).pictures
    8

    folder: where. kinds: those that were drawn. pictures: PNG files. frames: of the clip that were drawn.
    notices: what else to know. problems: those that leave a part of the request undone.
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
    tracker: Tracker | Callable[[], Tracker] = load,
    config: VisualiseConfig | None = None,
    resize_mask: bool = False,
    overwrite: bool = False,
    on_frame: OnFrame | None = None,
) -> VisualiseResult:
    """Track a clip, and draw what the model attends to.

    >>> import limpet
    >>> limpet.visualise("clip.mp4", "first.png", "attention")  # doctest: +SKIP

    Args:
        video, mask, resize_mask: as for ``limpet.track``.
        out: folder for KIND/00010.png, KIND.mp4 and visualise.json.
        tracker: from ``limpet.load``, or a function that makes one; it is called once the input is known to be good.
        config: what to draw; by default all kinds that suit the model.
        overwrite: replace what an earlier call left in ``out``.
        on_frame: called after each frame.

    Raises:
        VideoError, MaskError, ModelError, OutputError, WeightsError: each says what to do. What was drawn stays.
    """
    config = config or VisualiseConfig()
    with open_video(video) as reader:
        first_mask = read_mask(mask, reader.size, resize_mask=resize_mask)
        _check(config, reader.size, object_ids(first_mask))
        gallery = Gallery(
            out, tuple(KINDS), frame_rate=reader.frame_rate, movies=config.movies, overwrite=overwrite
        )
        run = _VisualiseRun(reader, tracker() if callable(tracker) else tracker, config, gallery)
        gallery.describe(run.facts())
        with gallery:
            run.draw_frames(first_mask, on_frame)
        return run.result()


class _VisualiseRun:
    """From the first frame to the last that is drawn."""

    def __init__(
        self, reader: VideoReader, tracker: Tracker, config: VisualiseConfig, gallery: Gallery
    ) -> None:
        self._reader, self._tracker, self._config, self._gallery = reader, tracker, config, gallery
        self._key_panels = 1 if config.kind == "self" or tracker.memory.gap is None else 2
        self._kinds = config.what or kinds_of(follows_motion=tracker.flow.name is not None)
        self._views: dict[int, FrameView] = {}
        self._drawn: list[int] = []
        self._last = 0

    def facts(self) -> dict[str, Any]:
        """For visualise.json."""
        tracker = self._tracker
        about = {"source": self._reader.name, "model": tracker.name, "weights_sha256": tracker.weights_sha256}
        return about | asdict(self._config) | {"what": self._kinds}

    def draw_frames(self, first_mask: Mask, on_frame: OnFrame | None) -> None:
        before: TrackerState | None = None
        for frame, labels, state in follow(self._reader, first_mask, self._tracker):
            if frame.image is not None:
                now = FrameView(frame.index, frame.image, labels)
                if before is not None and self._config.needs(frame.index):
                    self._draw(frame, now, before)
                self._keep(now, state)
                before = state
            self._last = frame.index
            if on_frame is not None:
                on_frame(frame.index + 1, self._reader.frame_count, len(self._drawn))
            if self._config.ends(frame.index):
                return

    def result(self) -> VisualiseResult:
        config, gallery = self._config, self._gallery
        missed = sorted(set(config.frames or ()) - set(self._drawn))
        problems = [self._why_missed(index) for index in missed]
        if not self._drawn and not problems:
            problems.append(
                f"nothing was drawn: {self._reader.name} has {self._count()}, of which none was chosen"
            )
        notices = (*map(str, self._reader.failures), *gallery.notices)
        return VisualiseResult(
            gallery.path, self._kinds, gallery.pictures, len(self._drawn), notices, tuple(problems)
        )

    def _draw(self, frame: Frame, now: FrameView, before: TrackerState) -> None:
        scene = self._scene(now, before)
        still = self._config.is_still(frame.index)
        for kind in self._kinds:
            picture = KINDS[kind].draw(scene)
            if picture is None:
                self._leave_out(kind)
            else:
                self._gallery.add(kind, frame.index, frame.time, picture, still=still)
        self._drawn.append(frame.index)

    def _scene(self, now: FrameView, before: TrackerState) -> AttentionScene:
        config, tracker = self._config, self._tracker
        records = attention_of_step(tracker, now.image, before, config.layer, config.kind)
        ids = before.object_ids if config.object_id is None else (config.object_id,)
        views = {before.frame_index + 1: now} if config.kind == "self" else self._views
        scene = AttentionScene(now, records, views, ids, self._key_panels, self._about(), config.query)
        if not any(KINDS[kind].of_motion for kind in self._kinds):
            return scene
        motion = motion_of_step(tracker, now.image, before, config.layer)
        if motion is None:
            return scene
        first = config.layer % tracker.config.layers // len(STRIDES) * len(STRIDES)
        scales = [
            (stride, attention_of_step(tracker, now.image, before, first + number))
            for number, stride in enumerate(STRIDES)
        ]
        return replace(scene, views=self._views, motion=motion, scales=tuple(scales))

    def _keep(self, view: FrameView, state: TrackerState) -> None:
        """Keep the frames that are in a memory and this one, no larger than they are drawn."""
        size = panel_size(view.mask.shape[:2], 1 + self._key_panels)
        small = FrameView(view.index, resized(view.image, size), resized(view.mask, size, nearest=True))
        held = {stored.index for group in state.groups for stored in group.frames} | {view.index}
        self._views = {index: self._views.get(index, small) for index in held}

    def _leave_out(self, kind: str) -> None:
        reason = f"{self._tracker.name or 'the model'} {KINDS[kind].why_not}"
        self._kinds = tuple(name for name in self._kinds if name != kind)
        if not self._kinds:
            raise ModelError(reason)
        if reason not in self._gallery.notices:
            self._gallery.notices.append(reason)

    def _about(self) -> str:
        layers, kind = self._tracker.config.layers, self._config.kind
        layer = f", layer {self._config.layer % layers} of 0 to {layers - 1}" if layers > 1 else ""
        return f"{self._tracker.name}{layer}, {kind} attention"

    def _why_missed(self, index: int) -> str:
        why = "it could not be decoded" if index <= self._last else f"{self._reader.name} has {self._count()}"
        return f"frame {index} was not drawn: {why}"

    def _count(self) -> str:
        return f"{self._last + 1} frames, 0 to {self._last}"


def _check(config: VisualiseConfig, size: tuple[int, int], ids: Sequence[int]) -> None:
    if config.object_id is not None and config.object_id not in ids:
        raise MaskError(f"the mask holds no object {config.object_id}; it has {', '.join(map(str, ids))}")
    if config.query is not None:
        x, y = config.query
        if not (0 <= x < size[1] and 0 <= y < size[0]):
            raise VideoError(
                f"the query {x:g},{y:g} lies outside the frame, which is {size[1]} wide and {size[0]} high"
            )
