"""The deformed sampling grid: where reference points were moved to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limpet.visual.attention.attention_scene import Scene
from limpet.visual.attention.brush import LIGHT, dot, line
from limpet.visual.attention.panels import picture
from limpet.visual.attention.sheet import Caption

Image = NDArray[np.uint8]
GROUPS = ((86, 180, 233), (230, 159, 0), (0, 190, 140), (240, 120, 190), (240, 228, 66), (213, 94, 0))
"""Colours of the groups of channels, told apart by everybody (after Okabe and Ito); they repeat after six."""


def draw_grid(scene: Scene) -> Image | None:
    """A line from each reference point to where each group of channels is read.

    Returns:
        uint8 (H, W, 3) RGB; None for a plain model, which reads every cell and has no such grid.
    """
    seen = scene.subjects[0].seen
    points = seen.points
    if points is None:
        return None
    colours = [GROUPS[group % len(GROUPS)] for group in range(len(seen.places))]

    def draw(image: Image, key: int) -> None:
        begins = seen.cells.to_pixels(points, image.shape[:2])
        ends = seen.cells.to_pixels(seen.places, image.shape[:2])  # S n 2
        for colour, moved in zip(colours, ends, strict=True):
            for begin, end in zip(begins, moved, strict=True):
                line(image, begin, end, colour)
                dot(image, end, 1.8, colour)
        for begin in begins:
            dot(image, begin, 1.2, LIGHT)

    return picture(scene, draw, _caption(scene, colours))


def _caption(scene: Scene, colours: list[tuple[int, int, int]]) -> Caption:
    return Caption(
        f"Deformed grid: where the model reads for frame {scene.now.index}  ({scene.about})",
        (
            "White: the reference points. From each, lines lead to where the groups of channels were read instead.",
        ),
        tuple((f"group {number + 1}", colour) for number, colour in enumerate(colours)),
    )
