"""The kinds of attention pictures by name; a new kind is a function of an ``AttentionScene`` and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from limpet.visual.attention.attention_scene import AttentionScene
from limpet.visual.attention.motion_pictures import draw_flow, draw_sampling, draw_scales
from limpet.visual.attention.panels import Pixels
from limpet.visual.attention.pictures import draw_grid, draw_map, draw_points, draw_query


class PictureKind(NamedTuple):
    """A kind of picture.

    draw: from a scene to uint8 (H, W, 3) RGB; None where the model has nothing of the kind.
    why_not: the reason for that, which begins with the name of the model.
    of_motion: a kind for models that follow motion.
    """

    draw: Callable[[AttentionScene], Pixels | None]
    why_not: str = ""
    of_motion: bool = False


NO_MOTION = "does not follow motion, so that there is no such picture; devos-* models do"
KINDS: dict[str, PictureKind] = {
    "maps": PictureKind(draw_map),
    "points": PictureKind(draw_points),
    "query": PictureKind(draw_query),
    "grid": PictureKind(
        draw_grid,
        "has no deformable attention and so no sampling grid to draw; *-deformable models have one",
    ),
    "flow": PictureKind(draw_flow, NO_MOTION, of_motion=True),
    "sampling": PictureKind(draw_sampling, NO_MOTION, of_motion=True),
    "scales": PictureKind(draw_scales, NO_MOTION, of_motion=True),
}


def kinds_of(follows_motion: bool) -> tuple[str, ...]:
    """The kinds that are drawn where none is chosen."""
    if follows_motion:
        return tuple(name for name in KINDS if name != "grid")
    return tuple(name for name, kind in KINDS.items() if not kind.of_motion)
