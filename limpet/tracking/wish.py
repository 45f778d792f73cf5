"""What somebody wants to see of what a model looks at."""

from __future__ import annotations

from dataclasses import dataclass

from limpet.errors import ModelError, VideoError
from limpet.models.maps import MapKind
from limpet.visual.attention.kinds import DRAW


@dataclass(frozen=True)
class Wish:
    """What to draw.

    what: kinds of pictures, keys of DRAW.
    layer: counted from 0; -1 is the last. kind: of the attention, "long-term" or "self".
    object_id: one object; None draws all of the mask (and one of them for a query).
    query: (x, y) in pixels of the frame; None chooses the place of the object that reads its key points most.
    frames: which to keep as PNG; None takes every ``every``-th.
    movies: also a video of each kind.
    """

    what: tuple[str, ...] = tuple(DRAW)
    layer: int = -1
    kind: MapKind = "long-term"
    object_id: int | None = None
    query: tuple[float, float] | None = None
    frames: tuple[int, ...] | None = None
    every: int = 10
    movies: bool = True

    def __post_init__(self) -> None:
        unknown = [name for name in self.what if name not in DRAW]
        if unknown or not self.what:
            raise ModelError(f"there is no picture {', '.join(unknown)!r}; choose from {', '.join(DRAW)}")
        if self.frames is not None and any(index < 1 for index in self.frames):
            raise VideoError(
                f"frame {min(self.frames)} cannot be drawn: the masks of frame 0 are given, and the model looks "
                f"for them from frame 1 on"
            )
        if self.every < 1:
            raise VideoError(f"every {self.every} frames cannot be; expected 1 or more")

    def is_still(self, index: int) -> bool:
        """Whether a frame is to be kept as PNG."""
        return index in self.frames if self.frames is not None else index % self.every == 0

    def needs(self, index: int) -> bool:
        """Whether anything is drawn of a frame."""
        return index > 0 and (self.movies or self.is_still(index))

    def ends(self, index: int) -> bool:
        """Whether nothing is drawn of any frame after this one."""
        return not self.movies and self.frames is not None and index >= max(self.frames, default=0)
