"""What is pasted onto a scene: single things and crowds, copies of what is there, things that ride on others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from limpet.data.clip import Layer
from limpet.data.colour import random_colour
from limpet.data.layout import CutOut, View, cut_out, moving_layer, random_placement
from limpet.data.motion import project
from limpet.data.riding import find_bearer, ride
from limpet.data.scene import Manner, Scene

PASTED = (0.25, 0.4, 0.25, 0.1)  # chance of 0, 1, 2, 3 pasted objects
CROWD = (3, 8)  # fewest and most pasted objects of a crowded clip
COPIED = 0.5  # chance that one of a crowd looks like one that is there already
SMALLEST_CUT = 500  # pixels of an object that is worth cutting out
RIDER_ENERGY = 0.25  # a rider's motion on its bearer, in units of what it would be by itself

Draw = Callable[[], Scene | None]


def pasted_layers(
    rng: np.random.Generator, scene: Scene, under: list[Layer], view: View, manner: Manner, draw: Draw
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
        bearer = find_bearer(rng, [*under, *layers], view) if rng.random() < manner.riders else None
        place = ride(rng, bearer, thing) if bearer is not None else None
        if bearer is not None and place is not None:
            own, drift, seen = own * RIDER_ENERGY, (0.0, 0.0), bearer.view
        else:
            place, centre = random_placement(rng, thing, view.size, scale)
            drift, seen = _drift(rng, scene, view, centre), view
        layer = moving_layer(rng, seen, thing, place, own, label, drift, manner.shutter, colour)
        layers += [layer] if layer is not None else []
    return layers


def _number(rng: np.random.Generator, manner: Manner) -> int:
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
