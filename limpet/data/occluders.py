"""Occluders: things in front of tracked objects that the first frame does not show and that have no mask.

Poles and trees that the camera passes, and objects of other images that cross the frame. What they cover is background.

Shapes: T frames; homographies float64 (3, 3) or (T, 3, 3), which map pixels (x, y, 1).
"""

from __future__ import annotations

import numpy as np

from limpet.data.clip_scene import DrawScene, Scene
from limpet.data.copy_paste import object_of
from limpet.data.layers import CameraView, CutOut, Layer, moving_layer
from limpet.data.random_warps import project, translation

POLE_PROB = (
    0.35  # that an occluder is a pole, a strip of another image from the top of the frame to its bottom
)
POLE_WIDTHS = (0.05, 0.3)  # of the clip's side
SIZES = (0.5, 1.6)  # of other occluders, in units of the object that they cross
MIN_SIZE, MAX_SIZE = 0.12, 0.9  # of other occluders, in units of the clip's side
MORE_PROB = 0.3  # that a second one comes
STOPS = 0.3  # probability that an occluder goes on at a quarter of its speed once it is there


def occluder_layers(
    rng: np.random.Generator, layers: list[Layer], view: CameraView, shutter: float, draw_scene: DrawScene
) -> list[Layer]:
    """One or two occluders, to be laid over ``layers``: the scene and the objects pasted so far.

    Args:
        shutter: share of the time between frames that the motion blur covers.
        draw_scene: draws the scene of which an occluder is cut out; None where that failed.
    """
    found = []
    for _ in range(2 if rng.random() < MORE_PROB else 1):
        other = draw_scene()
        when = int(rng.integers(1, len(view.camera)))
        goal = _place_of_object(rng, layers, when, view.size)
        layer = None
        if other is not None and goal is not None:
            layer = _occluder(rng, other, when, *goal, view, shutter)
        found += [layer] if layer is not None else []
    return found


def _occluder(
    rng: np.random.Generator,
    other: Scene,
    when: int,
    goal: np.ndarray,
    object_side: float,
    view: CameraView,
    shutter: float,
) -> Layer | None:
    """One occluder that is at ``goal`` in frame ``when``."""
    size, frames = view.size, len(view.camera)
    direction = float(rng.choice([0.0, np.pi]))
    if rng.random() < POLE_PROB:
        thing = _pole(rng, other, size)
        scale = 1.3 * size / thing.extent[0]
        goal = np.array([goal[0], size / 2])
    else:
        cut = object_of(rng, other)
        if cut is None:
            return None
        thing = cut
        _, _, width, height = thing.box()
        side = float(np.clip(object_side * rng.uniform(*SIZES), MIN_SIZE * size, MAX_SIZE * size))
        scale = min(side / float(np.sqrt(width * height)), 3.5)
        direction += rng.normal(0.0, 0.5)
        goal = goal + rng.normal(0.0, 0.2, 2) * object_side
    x, y, width, height = thing.box()
    heading = np.array([np.cos(direction), np.sin(direction)])
    half = np.array([width, height]) * scale / 2 + 3.0
    away = _distance_out(goal, -heading, half, size)
    speed = away / when
    after = 0.25 if rng.random() < STOPS else 1.0
    time = np.arange(frames) - when
    travelled = np.where(time > 0, time * after, time) * speed
    start = goal - heading * away
    placement = translation(*start) @ np.diag([scale, scale, 1.0]) @ translation(-x, -y)
    still = CameraView(size, np.broadcast_to(np.eye(3), (frames, 3, 3)))
    shifts = (travelled - travelled[0])[:, None] * heading
    return moving_layer(rng, still, thing, placement, 0.2, 0, shifts, shutter)


def _distance_out(place: np.ndarray, heading: np.ndarray, half: np.ndarray, size: int) -> float:
    """How far a box with half sides ``half`` at ``place`` must go along ``heading`` to be outside of the frame."""
    distances = []
    for axis in (0, 1):
        if abs(heading[axis]) > 0.05:
            border = size + half[axis] if heading[axis] > 0 else -half[axis]
            distances.append(float((border - place[axis]) / heading[axis]))
    return max(min(distances), 1.0)


def _pole(rng: np.random.Generator, other: Scene, size: int) -> CutOut:
    """An upright strip of an image with wavy edges."""
    image = other.images[0].image
    height, width = image.shape[:2]
    thickness = float(rng.uniform(*POLE_WIDTHS)) * size * height / (1.3 * size)
    lean = float(rng.normal(0.0, 0.08)) * height
    rows = np.linspace(0.0, 1.0, height)
    waves = np.sin(2 * np.pi * (rows * rng.uniform(0.5, 3.0, (2, 1)) + rng.random((2, 1))))
    middle = lean * (rows - 0.5) + 0.15 * thickness * waves[0]
    half = thickness / 2 * (1.0 + 0.15 * waves[1])
    left, right = float((middle - half).min()) - 3, float((middle + half).max()) + 3
    columns = min(int(np.ceil(right - left)), width)
    start = int(rng.integers(width - columns + 1))
    across = np.arange(columns) + left
    mask = np.abs(across[None] - middle[:, None]) < half[:, None]
    return CutOut((image[:, start : start + columns],), (mask.astype(np.uint8),), start, 0)


def _place_of_object(
    rng: np.random.Generator, layers: list[Layer], when: int, size: int
) -> tuple[np.ndarray, float] | None:
    """Centre (x, y) in the clip of one of the objects in frame ``when``, and its size as the side of a square.

    None if no object is in view then.
    """
    scene, *pasted = layers
    image = scene.masks[min(when, len(scene.masks) - 1)]
    ids = [] if scene.fill_holes else [int(i) for i in np.unique(image[::2, ::2]) if i]
    choices = [(scene, i) for i in ids] + [(layer, 1) for layer in pasted if layer.label]
    for pick in rng.permutation(len(choices)):
        layer, number = choices[int(pick)]
        ys, xs = np.nonzero(layer.masks[min(when, len(layer.masks) - 1)] == number)
        if not len(ys):
            continue
        to_clip = np.linalg.inv(layer.homography[when])
        centre = project(to_clip, np.array([[xs.mean(), ys.mean()]]))[0]
        if ((centre > 0) & (centre < size)).all():
            corner = project(to_clip, np.array([[xs.mean() + 1, ys.mean()], [xs.mean(), ys.mean() + 1]]))
            area = abs(float(np.linalg.det(corner - centre)))
            return centre, float(np.sqrt(len(ys) * area))
    return None
