"""One query and the keys that it reads most (appendix C, Fig. 10)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limpet.visual.attention.attention_record import Floats
from limpet.visual.attention.attention_scene import Scene
from limpet.visual.attention.brush import LIGHT, dot, star
from limpet.visual.attention.panels import dots_of_a_key, picture
from limpet.visual.attention.sheet import Caption
from limpet.visual.attention.values import similarity, strongest_keys
from limpet.visual.overlay import object_colour

Image = NDArray[np.uint8]
RADIUS, LEAST, SMALLEST = 0.42, 4.0, 1.0
"""Radius of the most similar key in cells, and at least so many pixels; pixels of the least similar one shown."""
PALEST = 0.45
"""Brightness of the least similar key that is shown."""
STAR = 13.0
STAR_COLOUR = (255, 214, 64)


def draw_query(scene: Scene) -> Image:
    """A star for the query in its frame, and a dot for each of its 200 strongest keys; radius by similarity.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    found = scene.find_query()
    if found is None:
        nothing = Caption("One query and its keys: no object is seen in this frame", ("",))
        return picture(scene, lambda image, key: None, nothing)
    subject, cell = found
    seen, values = subject.seen, subject.seen.weights[cell]  # T n
    chosen = strongest_keys(values)
    similar = similarity(values, chosen)
    on_object = cell in subject.queries
    colour = np.array(object_colour(subject.object_id) if on_object else LIGHT)

    def draw_star(image: Image) -> None:
        star(image, seen.cells.to_pixels(seen.cells.middles()[cell], image.shape[:2]), STAR, STAR_COLOUR)

    def draw(image: Image, key: int) -> None:
        if key not in seen.key_frames:
            return
        frame = seen.key_frames.index(key)
        largest = max(LEAST, RADIUS * seen.cells.step(image.shape[:2]))
        largest_first = sorted(np.flatnonzero(chosen[frame]), key=lambda number: -similar[frame, number])
        for number in largest_first:  # so that no dot hides a smaller one
            strength = float(similar[frame, number])
            radius = SMALLEST + (largest - SMALLEST) * strength
            red, green, blue = (colour * (PALEST + (1 - PALEST) * strength)).astype(int).tolist()
            for at in seen.cells.to_pixels(seen.places[:, number], image.shape[:2]):
                dot(image, at, radius, (red, green, blue))

    whose = f"of object {subject.object_id}" if on_object else "outside the objects"
    return picture(scene, draw, _caption(scene, whose, values, chosen), draw_queries=draw_star)


def _caption(scene: Scene, whose: str, values: Floats, chosen: NDArray[np.bool_]) -> Caption:
    shares = f"{values[chosen].sum():.0%} of its attention, the most similar one {values.max():.0%}"
    return Caption(
        f"One query (star) {whose}, and its keys (dots)  ({scene.about})",
        (
            f"The {chosen.sum()} keys most similar to the starred place; larger is more similar. They get {shares}."
            f"{dots_of_a_key(scene)}",
        ),
    )
