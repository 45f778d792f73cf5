"""Copy-paste augmentation: objects of other scenes, copies of objects, and objects attached to others.

An attached object, such as a bag on a back or a cup in a hand, moves with its carrier and lies in front of it.

Shapes: T frames; homographies float64 (3, 3) or (T, 3, 3), which map pixels (x, y, 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limpet.data.clip_scene import ClipStyle, DrawScene, Scene
from limpet.data.config import ClipConfig
from limpet.data.layers import CameraView, CutOut, Layer, cut_out, moving_layer, random_placement
from limpet.data.photometric import random_colour
from limpet.data.random_warps import project, translation

PASTED_PROBS = (0.25, 0.4, 0.25, 0.1)  # probability of 0, 1, 2, 3 pasted objects
CROWD_SIZE = (3, 8)  # minimum and maximum of pasted objects in a crowded clip
COPY_PROB = 0.5  # that an object of a crowd looks like one that is there already
MIN_CUT_PIXELS = 500  # of an object that is worth cutting out
ATTACHED_SIZES = (0.2, 0.55)  # of an attached object, in units of its carrier's size
ATTACHED_MOTION = 0.25  # an attached object's own motion on its carrier, in units of that of a free object
MIN_ATTACHED_SIDE = 10.0  # pixels of the clip, as the side of a square
CARRIER_POINTS = 100  # pixels of the carrier that are sampled


def pasted_layers(
    rng: np.random.Generator,
    scene: Scene,
    under: list[Layer],
    view: CameraView,
    style: ClipStyle,
    draw_scene: DrawScene,
    config: ClipConfig,
) -> list[Layer]:
    """The layers to be pasted over those ``under`` them, which are the scene's own.

    Args:
        draw_scene: draws another scene, an object of which is cut out; None where that failed.
    """
    layers: list[Layer] = []
    pasted: list[CutOut] = []
    scale = 0.4 if style.crowded else 0.55 if scene.kind == "video" else 0.65
    for order in range(_count(rng, style)):
        copied = scene.kind != "regions" and rng.random() < (COPY_PROB if style.crowded else 0.12)
        thing = _copy(rng, scene, pasted) if copied else object_of(rng, draw_scene())
        if thing is None:
            continue
        if style.crowded:
            pasted.append(thing)
        # a distractor, which is background, must be told from the objects that are tracked
        distractor_prob = 0.15 if style.crowded or not copied else 0.35
        label = 0 if rng.random() < distractor_prob else 256 + order
        colour = random_colour(rng, 0.6)[:3].astype(np.float32) if rng.random() < 0.5 else None
        own = style.energy * float(rng.uniform(0.4, 1.3))
        attached = rng.random() < style.attached_object_prob
        carrier = find_carrier(rng, [*under, *layers], view) if attached else None
        place = attach(rng, carrier, thing) if carrier is not None else None
        if carrier is not None and place is not None:
            own, drift, seen, changes = own * ATTACHED_MOTION, (0.0, 0.0), carrier.view, None
        else:
            place, centre = random_placement(rng, thing, view.size, scale)
            drift, seen, changes = _drift(rng, scene, view, centre), view, config
        shifts = np.linspace(0.0, 1.0, len(view.camera))[:, None] * drift
        layer = moving_layer(rng, seen, thing, place, own, label, shifts, style.shutter, colour, changes)
        layers += [layer] if layer is not None else []
    return layers


@dataclass(frozen=True)
class Carrier:
    """An object of a clip that another may be attached to.

    Args:
        view: the camera in the carrier's own coordinates: what stands still in them moves with the carrier.
        points: float64 (n, 2), points (x, y) of the clip's frame 0 that show it.
        size: side of a square as large as the carrier, in pixels of the clip.
    """

    view: CameraView
    points: np.ndarray
    size: float


def find_carrier(rng: np.random.Generator, layers: list[Layer], view: CameraView) -> Carrier | None:
    """One of the objects that are in view so far, or None. ``layers``: the scene and what is pasted over it."""
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
    picks = rng.integers(len(ys), size=CARRIER_POINTS)
    points = project(np.linalg.inv(layer.homography[0]), np.stack([xs[picks], ys[picks]], 1).astype(float))
    points = points[((points >= 0) & (points < view.size)).all(1)]
    if not len(points):
        return None
    scale = float(np.sqrt(abs(np.linalg.det(layer.homography[0, :2, :2]))))
    own = np.linalg.inv(_motion_of(regions)) if len(regions) > 1 else np.eye(3)
    size = float(np.sqrt(len(ys))) / max(scale, 1e-6)
    return Carrier(CameraView(view.size, own @ layer.homography), points, size)


def attach(rng: np.random.Generator, carrier: Carrier, thing: CutOut) -> np.ndarray | None:
    """Homography (3, 3) from the cut-out's pixels to a place on the carrier in frame 0; None if too small there."""
    size = carrier.size * float(rng.uniform(*ATTACHED_SIZES))
    if size < MIN_ATTACHED_SIDE:
        return None
    placement, (x, y) = random_placement(rng, thing, carrier.view.size, 0.5)
    area = float(np.count_nonzero(thing.masks[0]) * abs(np.linalg.det(placement[:2, :2])))
    factor = size / max(float(np.sqrt(area)), 1.0)
    goal = carrier.points[int(rng.integers(len(carrier.points)))]
    result: np.ndarray = translation(*goal) @ np.diag([factor, factor, 1.0]) @ translation(-x, -y) @ placement
    return result


def _count(rng: np.random.Generator, style: ClipStyle) -> int:
    if style.crowded:
        return int(rng.integers(CROWD_SIZE[0], CROWD_SIZE[1] + 1))
    return int(rng.choice(len(PASTED_PROBS), p=PASTED_PROBS))


def _copy(rng: np.random.Generator, scene: Scene, pasted: Sequence[CutOut]) -> CutOut | None:
    """A copy of one of the scene's own objects, or of those pasted: it looks just like the original."""
    if pasted and rng.random() < 0.6:
        return pasted[int(rng.integers(len(pasted)))]
    return cut_out(scene.images, [int(rng.choice(scene.ids))], MIN_CUT_PIXELS)


def object_of(rng: np.random.Generator, other: Scene | None) -> CutOut | None:
    """An object of another scene, cut out; None where there is none that is large enough."""
    if other is None:
        return None
    whole = other.kind == "parts" and rng.random() < 0.6  # all clothes of a person, all parts of a car
    ids = range(1, 256) if whole else [int(rng.choice(other.ids))]
    return cut_out(other.images, list(ids), MIN_CUT_PIXELS)


def _drift(
    rng: np.random.Generator, scene: Scene, view: CameraView, centre: tuple[float, float]
) -> tuple[float, float]:
    """Additional displacement of a pasted object: sometimes it crosses the scene's first object and occludes it."""
    if rng.random() >= 0.35:
        return (0.0, 0.0)
    ys, xs = np.nonzero(scene.images[0].mask == scene.ids[0])
    goal = project(np.linalg.inv(view.camera[0]), np.array([[xs.mean(), ys.mean()]]))[0]
    return float(goal[0] - centre[0]), float(goal[1] - centre[1])


def _motion_of(regions: list[np.ndarray]) -> np.ndarray:
    """How a region of a video moves and grows, from its centroid and its area: (T, 3, 3) from frame 0 to t."""
    motion, (first, area) = [], _centroid(regions[0])
    for region in regions:
        middle, pixels = _centroid(region) if region.any() else (first, area)
        zoom = float(np.clip(np.sqrt(pixels / area), 0.6, 1.6))
        motion.append(translation(*middle) @ np.diag([zoom, zoom, 1.0]) @ translation(*-first))
    return np.stack(motion)


def _centroid(region: np.ndarray) -> tuple[np.ndarray, int]:
    ys, xs = np.nonzero(region)
    return np.array([xs.mean(), ys.mean()]), len(ys)
