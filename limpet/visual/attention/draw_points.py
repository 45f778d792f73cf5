"""The key points (appendix C, Fig. 9)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limpet.visual.attention.attention_scene import Scene
from limpet.visual.attention.brush import LIGHT, dot
from limpet.visual.attention.panels import colours_of, dots_of_a_key, picture
from limpet.visual.attention.sheet import Caption
from limpet.visual.attention.values import POINT_SHARE, attention_given, key_points
from limpet.visual.overlay import object_colour

Image = NDArray[np.uint8]
RADIUS, LEAST = 0.4, 4.0
"""Radius of the point that gets most, in cells, and at least so many pixels."""


def draw_points(scene: Scene) -> Image:
    """The keys that get more than 0.85 of the largest attention of an object; radius proportional to it.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    given = {
        subject.object_id: (subject.seen, attention_given(subject.seen, subject.queries))
        for subject in scene.seen_subjects
    }

    def draw(image: Image, key: int) -> None:
        for object_id, (seen, values) in given.items():
            if key not in seen.key_frames:
                continue
            frame = seen.key_frames.index(key)
            largest = max(LEAST, RADIUS * seen.cells.step(image.shape[:2]))
            for number in np.flatnonzero(key_points(values)[frame]):
                radius = largest * values[frame, number] / values.max()
                for at in seen.cells.to_pixels(seen.places[:, number], image.shape[:2]):
                    dot(image, at, radius, object_colour(object_id), LIGHT)

    return picture(scene, draw, _caption(scene))


def _caption(scene: Scene) -> Caption:
    return Caption(
        f"Key points: what the objects of frame {scene.now.index} look at most  ({scene.about})",
        (
            f"Dots, in an object's colour: what gets more than {POINT_SHARE:.0%} of the most attention that it gives "
            f"to any place; larger is more.{dots_of_a_key(scene)}",
        ),
        colours_of(scene),
    )
