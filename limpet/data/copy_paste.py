"""What is pasted onto a scene: single things and crowds, copies of what is there, things that ride on others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from limpet.data.clip_scene import ClipStyle, Scene
from limpet.data.layers import CutOut, Layer, View, cut_out, moving_layer, random_placement
from limpet.data.photometric import random_colour
from limpet.data.random_warps import project, translation

PASTED = (0.25, 0.4, 0.25, 0.1)  # chance of 0, 1, 2, 3 pasted objects
CROWD = (3, 8)  # fewest and most pasted objects of a crowded clip
COPIED = 0.5  # chance that one of a crowd looks like one that is there already
SMALLEST_CUT = 500  # pixels of an object that is worth cutting out
ATTACHED_MOTION = 0.25  # a rider's motion on its bearer, in units of what it would be by itself

Draw = Callable[[], Scene | None]


def pasted_layers(
    rng: np.random.Generator, scene: Scene, under: list[Layer], view: View, manner: ClipStyle, draw: Draw
) -> list[Layer]:
    """The layers to lie on those ``under`` them: the scene's own.

    Args:
        draw: another scene, an object of which is cut out; None where that failed.
    """
    layers: list[Layer] = []
    pasted: list[CutOut] = []
    scale = 0.4 if manner.crowded else 0.55 if scene.kind == "video" else 0.65
    for order in range(_number(rng, manner)):
        twin = scene.kind != "regions" and rng.random() < (COPIED if manner.crowded else 0.12)
        thing = _twin(rng, scene, pasted) if twin else _thing(rng, draw())
        if thing is None:
            continue
        if manner.crowded:
            pasted.append(thing)
        # an object that nobody asked for must be told from those that somebody did
        unasked = 0.15 if manner.crowded or not twin else 0.35
        label = 0 if rng.random() < unasked else 256 + order
        colour = random_colour(rng, 0.6)[:3].astype(np.float32) if rng.random() < 0.5 else None
        own = manner.energy * float(rng.uniform(0.4, 1.3))
        bearer = find_carrier(rng, [*under, *layers], view) if rng.random() < manner.riders else None
        place = ride(rng, bearer, thing) if bearer is not None else None
        if bearer is not None and place is not None:
            own, drift, seen = own * ATTACHED_MOTION, (0.0, 0.0), bearer.view
        else:
            place, centre = random_placement(rng, thing, view.size, scale)
            drift, seen = _drift(rng, scene, view, centre), view
        layer = moving_layer(rng, seen, thing, place, own, label, drift, manner.shutter, colour)
        layers += [layer] if layer is not None else []
    return layers


def _number(rng: np.random.Generator, manner: ClipStyle) -> int:
    if manner.crowded:
        return int(rng.integers(CROWD[0], CROWD[1] + 1))
    return int(rng.choice(len(PASTED), p=PASTED))


def _twin(rng: np.random.Generator, scene: Scene, pasted: Sequence[CutOut]) -> CutOut | None:
    """A copy of one of the scene's own objects, or of those pasted: looks do not tell it from the original."""
    if pasted and rng.random() < 0.6:
        return pasted[int(rng.integers(len(pasted)))]
    return cut_out(scene.pictures, [int(rng.choice(scene.ids))], SMALLEST_CUT)


def _thing(rng: np.random.Generator, other: Scene | None) -> CutOut | None:
    """An object of another scene."""
    if other is None:
        return None
    whole = other.kind == "parts" and rng.random() < 0.6  # all clothes of a person, all parts of a car
    ids = range(1, 256) if whole else [int(rng.choice(other.ids))]
    return cut_out(other.pictures, list(ids), SMALLEST_CUT)


def _drift(
    rng: np.random.Generator, scene: Scene, view: View, centre: tuple[float, float]
) -> tuple[float, float]:
    """What a thing moves besides: now and then on its way to the scene's first object, to hide it."""
    if rng.random() >= 0.35:
        return (0.0, 0.0)
    ys, xs = np.nonzero(scene.pictures[0].mask == scene.ids[0])
    goal = project(np.linalg.inv(view.camera[0]), np.array([[xs.mean(), ys.mean()]]))[0]
    return float(goal[0] - centre[0]), float(goal[1] - centre[1])


SIZES = (0.2, 0.55)  # of a rider, in units of its bearer's size
SMALLEST = 10.0  # pixels of the clip, as the side of a square
SPOTS = 100  # pixels of the bearer that are looked at


@dataclass(frozen=True)
class Carrier:
    """An object of a clip that another may ride on.

    Args:
        view: the bearer seen as if it were the world: what stands still in it moves with the bearer.
        spots: float64 (n, 2), points (x, y) of the clip's frame 0 that show it.
        size: side of a square as large as the bearer, in pixels of the clip.
    """

    view: View
    spots: np.ndarray
    size: float


def find_carrier(rng: np.random.Generator, layers: list[Layer], view: View) -> Carrier | None:
    """One of the objects that are in view so far, or None. ``layers``: the scene and what lies on it."""
    scene, *pasted = layers
    ids = [] if scene.fill_holes else [int(i) for i in np.unique(scene.masks[0]) if i]
    choices = [(scene, i) for i in ids] + [(layer, 1) for layer in pasted if layer.label]
    if not choices:
        return None
    layer, number = choices[int(rng.integers(len(choices)))]
    regions = [mask == number for mask in layer.masks]
    ys, xs = np.nonzero(regions[0])
    if not len(ys):
        return None
    picks = rng.integers(len(ys), size=SPOTS)
    spots = project(np.linalg.inv(layer.homography[0]), np.stack([xs[picks], ys[picks]], 1).astype(float))
    spots = spots[((spots >= 0) & (spots < view.size)).all(1)]
    if not len(spots):
        return None
    scale = float(np.sqrt(abs(np.linalg.det(layer.homography[0, :2, :2]))))
    own = np.linalg.inv(_motion(regions)) if len(regions) > 1 else np.eye(3)
    return Carrier(View(view.size, own @ layer.homography), spots, float(np.sqrt(len(ys))) / max(scale, 1e-6))


def ride(rng: np.random.Generator, bearer: Carrier, thing: CutOut) -> np.ndarray | None:
    """Homography (3, 3) from the cut-out's pixels to a place on the bearer in frame 0; None if too small there."""
    size = bearer.size * float(rng.uniform(*SIZES))
    if size < SMALLEST:
        return None
    placement, (x, y) = random_placement(rng, thing, bearer.view.size, 0.5)
    area = float(np.count_nonzero(thing.masks[0]) * abs(np.linalg.det(placement[:2, :2])))
    factor = size / max(float(np.sqrt(area)), 1.0)
    goal = bearer.spots[int(rng.integers(len(bearer.spots)))]
    result: np.ndarray = translation(*goal) @ np.diag([factor, factor, 1.0]) @ translation(-x, -y) @ placement
    return result


def _motion(regions: list[np.ndarray]) -> np.ndarray:
    """How a region of a video moves and grows, from its pixels' middle and number: (T, 3, 3) from frame 0 to t."""
    motion, (first, area) = [], _middle(regions[0])
    for region in regions:
        middle, pixels = _middle(region) if region.any() else (first, area)
        zoom = float(np.clip(np.sqrt(pixels / area), 0.6, 1.6))
        motion.append(translation(*middle) @ np.diag([zoom, zoom, 1.0]) @ translation(*-first))
    return np.stack(motion)


def _middle(region: np.ndarray) -> tuple[np.ndarray, int]:
    ys, xs = np.nonzero(region)
    return np.array([xs.mean(), ys.mean()]), len(ys)
