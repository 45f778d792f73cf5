"""Pictures of attention to remembered frames: maps, key points, one query and its keys, the deformed sampling grid.

Figures of "Distillation Learning of
Deformable Attention", appendix C.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from limpet.visual.attention.attention_record import (
    KEY_POINT_THRESHOLD,
    MAP_THRESHOLD,
    Floats,
    key_points,
    mean_attention,
    similarity,
    splat_to_cells,
    strongest_keys,
)
from limpet.visual.attention.attention_scene import AttentionScene, ObjectAttention
from limpet.visual.attention.panels import (
    LIGHT,
    Caption,
    DrawKeys,
    Pixels,
    dot,
    dots_per_key,
    draw_panels,
    line,
    object_colours,
    resized,
    star,
)
from limpet.visual.overlay import object_colour

GROUP_COLOURS = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 190, 140),
    (240, 120, 190),
    (240, 228, 66),
    (213, 94, 0),
)
"""Colours of the groups of channels, also told apart with colour blindness (after Okabe and Ito); they repeat."""
STAR_COLOUR = (255, 214, 64)
_STAR_RADIUS = 13.0
_MAP_OPACITY = (0.35, 0.9)
"""Opacity of an object's colour at half of the largest attention, and at the largest."""
_POINT_RADIUS, _KEY_RADIUS, _MIN_DOT, _SMALLEST_DOT = 0.4, 0.42, 4.0, 1.0
"""Radius in cells of the largest key point and of the most similar key, at least so many pixels; pixels of the least
similar key."""
_FAINTEST = 0.45
"""Brightness of the least similar key that is shown."""


def draw_map(scene: AttentionScene) -> Pixels:
    """The attention map of each object, in its colour, where it is above half of its largest value (Fig. 8).

    Where maps overlap, the object with the larger fraction of its own largest attention colours the pixel.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    caption = Caption(
        f"Attention map: what the objects of frame {scene.now.index} attend to  ({scene.about})",
        (
            "In an object's colour: attention above half of its largest value; stronger is more. "
            "Grey: everything else.",
        ),
        object_colours(scene),
    )
    return draw_panels(scene, map_painter(scene), caption)


def draw_points(scene: AttentionScene) -> Pixels:
    """The key points: keys with more than 0.85 of an object's largest attention; radius proportional to it (Fig. 9).

    Returns:
        uint8 (H, W, 3) RGB.
    """
    attention = {
        each.object_id: (each.record, mean_attention(each.record, each.queries))
        for each in scene.visible_objects
    }

    def draw(image: Pixels, key: int) -> None:
        for object_id, (record, values) in attention.items():
            if key not in record.key_frames:
                continue
            frame = record.key_frames.index(key)
            largest = max(_MIN_DOT, _POINT_RADIUS * record.cells.spacing(image.shape[:2]))
            for number in np.flatnonzero(key_points(values)[frame]):
                radius = largest * values[frame, number] / values.max()
                for at in record.cells.to_pixels(record.sampling_locations[:, number], image.shape[:2]):
                    dot(image, at, radius, object_colour(object_id), LIGHT)

    caption = Caption(
        f"Key points: what the objects of frame {scene.now.index} attend to most  ({scene.about})",
        (
            f"Dots in an object's colour: keys with more than {KEY_POINT_THRESHOLD:.0%} of its largest attention; "
            f"larger is more.{dots_per_key(scene)}",
        ),
        object_colours(scene),
    )
    return draw_panels(scene, draw, caption)


def draw_query(scene: AttentionScene) -> Pixels:
    """A star for one query in its frame, and a dot for each of its 200 strongest keys; radius by similarity (Fig. 10).

    Returns:
        uint8 (H, W, 3) RGB.
    """
    found = scene.find_query()
    if found is None:
        nothing = Caption("One query and its keys: no object is visible in this frame", ("",))
        return draw_panels(scene, lambda image, key: None, nothing)
    asking, cell = found
    record, values = asking.record, asking.record.weights[cell]  # T K
    chosen = strongest_keys(values)
    similar = similarity(values, chosen)
    on_object = cell in asking.queries
    colour = np.array(object_colour(asking.object_id) if on_object else LIGHT)

    def draw_star(image: Pixels) -> None:
        at = record.cells.to_pixels(record.cells.centres()[cell], image.shape[:2])
        star(image, at, _STAR_RADIUS, STAR_COLOUR)

    def draw(image: Pixels, key: int) -> None:
        if key not in record.key_frames:
            return
        frame = record.key_frames.index(key)
        largest = max(_MIN_DOT, _KEY_RADIUS * record.cells.spacing(image.shape[:2]))
        largest_first = sorted(np.flatnonzero(chosen[frame]), key=lambda number: -similar[frame, number])
        for number in largest_first:  # so that no dot hides a smaller one
            strength = float(similar[frame, number])
            radius = _SMALLEST_DOT + (largest - _SMALLEST_DOT) * strength
            red, green, blue = (colour * (_FAINTEST + (1 - _FAINTEST) * strength)).astype(int).tolist()
            for at in record.cells.to_pixels(record.sampling_locations[:, number], image.shape[:2]):
                dot(image, at, radius, (red, green, blue))

    whose = f"of object {asking.object_id}" if on_object else "outside the objects"
    caption = _query_caption(scene, whose, values, chosen)
    return draw_panels(scene, draw, caption, draw_queries=draw_star)


def draw_grid(scene: AttentionScene) -> Pixels | None:
    """A line from each reference point to the location where each group of channels is sampled.

    Returns:
        uint8 (H, W, 3) RGB; None without deformable attention: such a model has no sampling grid.
    """
    record = scene.objects[0].record
    points = record.reference_points
    if points is None:
        return None
    groups = len(record.sampling_locations)
    colours = [GROUP_COLOURS[group % len(GROUP_COLOURS)] for group in range(groups)]

    def draw(image: Pixels, key: int) -> None:
        begins = record.cells.to_pixels(points, image.shape[:2])
        ends = record.cells.to_pixels(record.sampling_locations, image.shape[:2])  # G K 2
        for colour, sampled in zip(colours, ends, strict=True):
            for begin, end in zip(begins, sampled, strict=True):
                line(image, begin, end, colour)
                dot(image, end, 1.8, colour)
        for begin in begins:
            dot(image, begin, 1.2, LIGHT)

    caption = Caption(
        f"Deformed grid: where keys are sampled for frame {scene.now.index}  ({scene.about})",
        ("White: the reference points. A line leads from each to where every group of channels is sampled.",),
        tuple((f"group {number + 1}", colour) for number, colour in enumerate(colours)),
    )
    return draw_panels(scene, draw, caption)


def map_painter(scene: AttentionScene) -> DrawKeys:
    """What draws the attention map of each object into a panel with keys."""
    maps = {each.object_id: (each.record, _relative_map(each)) for each in scene.visible_objects}

    def draw(image: Pixels, key: int) -> None:
        frame = resized(scene.views[key].image, image.shape[:2])
        best = np.full(image.shape[:2], MAP_THRESHOLD, np.float32)
        for object_id, (record, relative) in maps.items():
            if key not in record.key_frames:
                continue
            values = record.cells.enlarge(relative[record.key_frames.index(key)], image.shape[:2])
            shown = values > best
            best = np.maximum(best, values)
            image[shown] = _tinted(frame, values, object_id)[shown]

    return draw


def _relative_map(each: ObjectAttention) -> Floats:
    """(T, h, w), 1 where the object's attention is largest."""
    splatted = splat_to_cells(each.record, mean_attention(each.record, each.queries))
    return np.asarray(splatted / splatted.max(), np.float32)


def _tinted(frame: Pixels, values: NDArray[np.float32], object_id: int) -> Pixels:
    """The frame in the object's colour, the more so the larger the attention is."""
    palest, strongest = _MAP_OPACITY
    strength = (values - MAP_THRESHOLD) / (1 - MAP_THRESHOLD)
    opacity = palest + (strongest - palest) * strength[..., None]
    tinted = frame * (1 - opacity) + np.array(object_colour(object_id)) * opacity
    return np.asarray(tinted.clip(0, 255), np.uint8)


def _query_caption(scene: AttentionScene, whose: str, values: Floats, chosen: NDArray[np.bool_]) -> Caption:
    return Caption(
        f"One query (star) {whose}, and its keys (dots)  ({scene.about})",
        (
            f"The {chosen.sum()} keys most similar to the query; larger is more similar. They receive "
            f"{values[chosen].sum():.0%} of its attention, the most similar one {values.max():.0%}."
            f"{dots_per_key(scene)}",
        ),
    )
