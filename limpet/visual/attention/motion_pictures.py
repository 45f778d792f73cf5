"""Pictures of models that follow motion (DeVOS): flow, the places that a query reads, long-term maps of both grids."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from limpet.visual.attention.attention_scene import AttentionScene
from limpet.visual.attention.motion_record import MotionRecord, SampledPlaces, flow_colours
from limpet.visual.attention.panels import (
    DARK,
    LIGHT,
    Caption,
    Panel,
    Pixels,
    compose,
    dimmed_view,
    dot,
    line,
    object_colours,
    panel_size,
    query_panel,
    star,
)
from limpet.visual.attention.pictures import GROUP_COLOURS, STAR_COLOUR, map_painter

PANELS = 3
STRIDES = (16, 32)
_STAR_RADIUS = 11.0
_LARGEST_DOT, _SMALLEST_DOT = 9.0, 1.0
_RING = 7  # pixels around the query's own place
_WHEEL = 0.24  # side of the colour wheel, of the panel's height
_CLOSEST = 4.0  # how much of the previous frame is enlarged at most
_ROOM = 2.0  # cells around what is shown of it
_ARROWS = 4  # cells between two lines of flow


def draw_flow(scene: AttentionScene) -> Pixels | None:
    """The flow to the previous frame by the colour wheel, and as lines over that frame.

    Returns:
        uint8 (H, W, 3) RGB; None for models that follow no motion.
    """
    motion = scene.motion
    if motion is None:
        return None
    size = panel_size(scene.now.mask.shape[:2], PANELS)
    lengths = np.hypot(*motion.flow)
    largest = max(float(np.percentile(lengths, 99)), 1.0)
    planes = np.stack([resized_plane(plane, size) for plane in motion.flow])
    coloured = flow_colours(planes, largest)
    _draw_wheel(coloured)
    before = dimmed_view(scene, motion.previous, size)
    _draw_arrows(before, motion)
    panels = [
        query_panel(scene, size),
        Panel(f"Flow ({motion.source}) from frame {scene.now.index} to frame {motion.previous}", coloured),
        Panel(f"Frame {motion.previous}: where cells were", before),
    ]
    told = f"Flow is zero: {motion.problem}." if motion.problem else (
        f"Full colours: {largest:.0f} pixels or more of {motion.network_size[1]}x{motion.network_size[0]}; "
        f"the mean is {lengths.mean():.1f}."
    )  # fmt: skip
    caption = Caption(
        f"Optical flow: where each place of frame {scene.now.index} was in frame {motion.previous}  "
        f"({scene.about.split(',')[0]})",
        (
            f"The colour names the direction (see the wheel), its strength the length. {told}",
            "On the right a line leads from the place of a cell, a dot, to where flow says that it was.",
        ),
    )
    return compose(panels, caption)


def draw_sampling(scene: AttentionScene) -> Pixels | None:
    """The places that one query reads in the previous frame, on the fine and on the coarse grid (ADVA).

    Returns:
        uint8 (H, W, 3) RGB; None for models without such places.
    """
    motion = scene.motion
    if motion is None or not motion.places:
        return None
    size = panel_size(scene.now.mask.shape[:2], PANELS)
    queries = query_panel(scene, size)
    found = scene.find_query()
    empty = np.full((*size, 3), 24, np.uint8)
    if found is None:
        nothing = Caption("The places that a query reads: no object is visible in this frame", ("", ""))
        return compose([queries, Panel("", empty), Panel("", empty)], nothing)
    asking, cell = found
    places = next(each for each in motion.places if asking.object_id in each.object_ids)
    cells = motion.cells
    star(queries.image, cells.to_pixels(cells.centres()[cell], size), _STAR_RADIUS, STAR_COLOUR)
    panels = [queries]
    shares = places.weights[:, cell].mean(axis=0).sum(axis=-1)  # R
    for number, share in enumerate(shares):
        title = f"Frame {motion.previous}, stride {STRIDES[number]}: {share:.0%} of the attention"
        if len(shares) == 1:
            title = f"Frame {motion.previous}: the places on one grid"
        panels.append(Panel(title, _places_panel(scene, motion, places, cell, number, size)))
    panels += [Panel("", empty)] * (PANELS - len(panels))
    heads = len(places.weights)
    caption = Caption(
        f"Where one query (star) reads frame {motion.previous}  ({scene.about.split(',')[0]})",
        (
            f"A dot for each of {places.locations.shape[3]} places of {heads} heads, in the head's colour; larger is "
            "more attention. The part of the frame around them is enlarged.",
            "White ring: the query's own place. Yellow line: from there along the flow; the dots are around its end, "
            "moved by learned offsets.",
        ),
    )
    return compose(panels, caption)


def draw_scales(scene: AttentionScene) -> Pixels | None:
    """The long-term attention maps at strides 16 and 32, side by side, over the oldest remembered frame.

    Fig. 1 of the supplement of DeVOS.

    Returns:
        uint8 (H, W, 3) RGB; None for models of one grid.
    """
    if not scene.scales:
        return None
    size = panel_size(scene.now.mask.shape[:2], PANELS)
    panels = [query_panel(scene, size)]
    for stride, records in scene.scales:
        of_grid = replace(scene, records=records)
        key = of_grid.shown_keys[0]
        assert key is not None  # the oldest is always there
        image = dimmed_view(scene, key, size)
        map_painter(of_grid)(image, key)
        panels.append(Panel(f"Frame {scene.views[key].index} (from memory) at stride {stride}", image))
    caption = Caption(
        f"Long-term attention on both grids: what the objects of frame {scene.now.index} attend to  "
        f"({scene.about.split(',')[0]})",
        (
            "In an object's colour: attention above half of its largest value on that grid; stronger is more. "
            "Grey: everything else.",
        ),
        object_colours(scene),
    )
    return compose(panels, caption)


def resized_plane(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A plane of flow at (H, W) of a panel; the values stay."""
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _draw_wheel(image: Pixels) -> None:
    """The colour wheel in the lower left corner: the colour at a place of it is that of flow in its direction."""
    side = max(int(image.shape[0] * _WHEEL), 8)
    ends = np.linspace(-1, 1, side, dtype=np.float32)
    wheel = np.stack(np.meshgrid(ends, ends, indexing="ij"))
    inside = np.hypot(*wheel) <= 1
    corner = image[-side:, :side]
    corner[:] = np.where(inside[..., None], flow_colours(wheel, 1.0), DARK)


def _draw_arrows(image: Pixels, motion: MotionRecord) -> None:
    cells = motion.cells
    height, width = cells.size
    places, flow = cells.centres(), motion.at_cells()
    for row in range(_ARROWS // 2, height, _ARROWS):
        for column in range(_ARROWS // 2, width, _ARROWS):
            own = places[row * width + column]
            begin, end = (
                cells.to_pixels(place, image.shape[:2]) for place in (own, own + flow[row * width + column])
            )
            line(image, begin, end, STAR_COLOUR, 2)
            dot(image, begin, 1.8, STAR_COLOUR)


def _places_panel(
    scene: AttentionScene,
    motion: MotionRecord,
    places: SampledPlaces,
    cell: int,
    number: int,
    size: tuple[int, int],
) -> Pixels:
    """The part of the previous frame with all places of a query, those on grid ``number`` drawn; uint8 of ``size``."""
    own = motion.cells.centres()[cell]
    moved = own + motion.at_cells()[cell]
    everything = np.concatenate([places.locations[:, cell].reshape(-1, 2), own[None], moved[None]])
    zoom, corner = _close_up(motion, everything, size)
    large = (round(size[0] * zoom), round(size[1] * zoom))
    left, top = np.rint(corner * zoom).astype(int)
    image = dimmed_view(scene, motion.previous, large)[top : top + size[0], left : left + size[1]].copy()

    def at(place: np.ndarray) -> np.ndarray:
        return motion.cells.to_pixels(place, large) - np.array([left, top], np.float32)

    line(image, at(own), at(moved), STAR_COLOUR, 2)
    weights = places.weights[:, cell, number]  # heads P
    for order in np.argsort(-weights, axis=None):  # the largest first, so that no dot hides a smaller one
        head, point = np.unravel_index(order, weights.shape)
        radius = max(_SMALLEST_DOT, _LARGEST_DOT * float(weights[head, point]) ** 0.5)
        colour = GROUP_COLOURS[int(head) % len(GROUP_COLOURS)]
        dot(image, at(places.locations[head, cell, number, point]), radius, colour)
    x, y = np.rint(at(own)).astype(int).tolist()
    cv2.circle(image, (x, y), _RING, LIGHT, 2, cv2.LINE_AA)
    return np.ascontiguousarray(image)


def _close_up(motion: MotionRecord, places: np.ndarray, size: tuple[int, int]) -> tuple[float, np.ndarray]:
    """By how much to enlarge a panel so that it is filled with ``places`` (n, 2), and its corner (x, y) before that."""
    pixels = motion.cells.to_pixels(places, size)
    room = _ROOM * motion.cells.spacing(size)
    low, high = pixels.min(axis=0) - room, pixels.max(axis=0) + room
    whole = np.array(size[::-1], np.float32)
    zoom = float(np.clip((whole / (high - low)).min(), 1.0, _CLOSEST))
    corner = ((low + high) / 2 - whole / zoom / 2).clip(0, whole - whole / zoom)
    return zoom, corner
