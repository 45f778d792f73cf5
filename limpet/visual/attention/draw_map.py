"""The attention map over the frames that are looked at (appendix C, Fig. 8)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limpet.visual.attention.attention_record import Floats
from limpet.visual.attention.attention_scene import Scene, Subject
from limpet.visual.attention.panels import colours_of, picture
from limpet.visual.attention.sheet import Caption, resized
from limpet.visual.attention.values import MAP_SHARE, attention_given, over_cells
from limpet.visual.overlay import object_colour

Image = NDArray[np.uint8]
_PALEST, _STRONGEST = (
    0.35,
    0.9,
)  # share of the object's colour at half of the largest attention, and at all of it


def draw_map(scene: Scene) -> Image:
    """Where each object's cells look on average: what gets more than half of the largest attention, in its colour.

    Where objects look at the same place, the one that gives it more of its own largest attention colours it.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    maps = {subject.object_id: (subject.seen, _share_of_largest(subject)) for subject in scene.seen_subjects}

    def draw(image: Image, key: int) -> None:
        frame = resized(scene.views[key].image, image.shape[:2])
        best = np.full(image.shape[:2], MAP_SHARE, np.float32)
        below = image.copy()
        for object_id, (seen, shares) in maps.items():
            if key not in seen.key_frames:
                continue
            share = seen.cells.enlarge(shares[seen.key_frames.index(key)], image.shape[:2])
            shown = share > best
            best = np.maximum(best, share)
            image[shown] = _tinted(frame, below, share, object_id)[shown]

    return picture(scene, draw, _caption(scene))


def _share_of_largest(subject: Subject) -> Floats:
    """(T, h, w), 1 where the object looks most."""
    laid = over_cells(subject.seen, attention_given(subject.seen, subject.queries))
    return np.asarray(laid / laid.max(), np.float32)


def _tinted(frame: Image, below: Image, share: NDArray[np.float32], object_id: int) -> Image:
    """The frame in the object's colour, the more so the more attention it gets."""
    strength = (share - MAP_SHARE) / (1 - MAP_SHARE)
    colour = _PALEST + (_STRONGEST - _PALEST) * strength[..., None]
    tinted = frame * (1 - colour) + np.array(object_colour(object_id)) * colour
    return np.asarray(tinted.clip(0, 255), np.uint8)


def _caption(scene: Scene) -> Caption:
    return Caption(
        f"Attention map: where the objects of frame {scene.now.index} look  ({scene.about})",
        (
            "In an object's colour: what gets more than half of the most attention that it gives to any place; "
            "stronger is more. Grey: the rest.",
        ),
        colours_of(scene),
    )
