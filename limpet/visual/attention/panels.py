"""The panels that all pictures share: the frame whose objects look, and the frames that they look at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from limpet.visual.attention.attention_scene import Scene, View
from limpet.visual.attention.brush import Colour
from limpet.visual.attention.sheet import Caption, Panel, compose, panel_size, resized
from limpet.visual.overlay import draw_overlay, object_colour

Image = NDArray[np.uint8]
DrawKeys = Callable[[Image, int], None]
"""Draws what is to be seen into a panel, given the number of the frame as in ``Seen.key_frames``."""
_FILL = 0.25
_DIMMED = 0.5


def picture(
    scene: Scene,
    draw_keys: DrawKeys,
    caption: Caption,
    *,
    draw_queries: Callable[[Image], None] = lambda image: None,
) -> Image:
    """The frame beside the frames with keys.

    Args:
        draw_keys: into the panels with keys, in which the frame is dimmed and the objects are outlined.
        draw_queries: into the panel of the frame itself.

    Returns:
        uint8 (H, W, 3) RGB; for one scene and another of the same video they have the same size.
    """
    size = panel_size(scene.now.mask.shape[:2], 1 + scene.key_panels)
    frame = resized(scene.now.image, size)
    asking = draw_overlay(frame, _drawn_objects(scene, scene.now, size), fill=_FILL)
    draw_queries(asking)
    panels = [Panel(f"Frame {scene.now.index}, in which the objects are looked for", asking)]
    panels += [_key_panel(scene, key, size, draw_keys) for key in scene.shown_keys]
    return compose(panels, caption)


def dimmed(image: Image) -> Image:
    """Grey and dark, so that colours stand out."""
    grey = image.mean(axis=2, keepdims=True) * _DIMMED
    return np.broadcast_to(grey, image.shape).astype(np.uint8)


def colours_of(scene: Scene) -> tuple[tuple[str, Colour], ...]:
    """The objects' names and colours for a caption, and which of them are not seen."""
    return tuple(
        (
            f"object {subject.object_id}" + ("" if len(subject.queries) else " (not seen in this frame)"),
            object_colour(subject.object_id),
        )
        for subject in scene.subjects
    )


def dots_of_a_key(scene: Scene) -> str:
    """A sentence for the caption of dots, where a key has several."""
    groups = len(scene.seen[0].places)
    return f" A key is read at {groups} places: {groups} dots." if groups > 1 else ""


def _key_panel(scene: Scene, key: int | None, size: tuple[int, int], draw_keys: DrawKeys) -> Panel:
    if key is None:
        return Panel("No other frame is in the memory yet", np.full((*size, 3), 24, np.uint8))
    view = scene.views[key]
    image = dimmed(resized(view.image, size))
    outlined = draw_overlay(image, _drawn_objects(scene, view, size), fill=0)
    draw_keys(outlined, key)
    return Panel(_title(scene, view), outlined)


def _title(scene: Scene, view: View) -> str:
    where = "the same frame" if view.index == scene.now.index else f"Frame {view.index}, from the memory"
    return f"{where[0].upper()}{where[1:]}: where the model looks"


def _drawn_objects(scene: Scene, view: View, size: tuple[int, int]) -> Image:
    kept = np.where(np.isin(view.mask, scene.object_ids), view.mask, 0).astype(np.uint8)
    return resized(kept, size, nearest=True)
