"""Things that ride on others: a bag on a back, a cup in a hand. They move with their bearer and lie before it.

Shapes: T frames; homographies float64 (3, 3) or (T, 3, 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limpet.data.clip import Layer
from limpet.data.layout import CutOut, View, random_placement
from limpet.data.motion import project, translation

SIZES = (0.2, 0.55)  # of a rider, in units of its bearer's size
SMALLEST = 10.0  # pixels of the clip, as the side of a square
SPOTS = 100  # pixels of the bearer that are looked at


@dataclass(frozen=True)
class Bearer:
    """An object of a clip that another may ride on.

    Args:
        view: the bearer seen as if it were the world: what stands still in it moves with the bearer.
        spots: float64 (n, 2), points (x, y) of the clip's frame 0 that show it.
        size: side of a square as large as the bearer, in pixels of the clip.
    """

    view: View
    spots: np.ndarray
    size: float


def find_bearer(rng: np.random.Generator, layers: list[Layer], view: View) -> Bearer | None:
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
    return Bearer(View(view.size, own @ layer.homography), spots, float(np.sqrt(len(ys))) / max(scale, 1e-6))


def ride(rng: np.random.Generator, bearer: Bearer, thing: CutOut) -> np.ndarray | None:
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
