"""What passes between the sampler, the renderer and the training loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from limpet.data.image_cache import Picture
from limpet.data.random_warps import OBJECT, corners, pose, project, random_bend, random_motion, translation


@dataclass(frozen=True)
class Layer:
    """One sheet of a clip: the scene at the bottom, or one object cut out and pasted on top.

    Args:
        images: uint8 (h, w, 3) RGB, one for all T frames (a photo) or T (a video).
        masks: uint8 (h, w), as many; in the scene the ids of the clip, in an object 1 where it is.
        homography: float64 (T, 3, 3), output pixels to pixels of this layer's images.
        bend: float32 (T, 2, n, n), smooth displacement (x, y) in pixels over the whole image, or None.
        label: id in the clip of a cut-out object (0: a distractor that is background); None for the scene.
        window: top, left, bottom, right of the part of the clip that this layer can touch.
        colour: float32 (3, 4), RGB -> RGB affine map, or None.
        smear: float32 (T, 2), motion blur (x, y) in output pixels.
        fill_holes: where the scene's mask is not 0, objects were cut out: fill from around, label 0.
    """

    images: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...]
    homography: np.ndarray
    bend: np.ndarray | None
    label: int | None
    window: tuple[int, int, int, int]
    colour: np.ndarray | None
    smear: np.ndarray
    fill_holes: bool = False


@dataclass(frozen=True)
class PhotometricParams:
    """What happens to rendered frames: colour float32 (T, 3, 4), gamma, blur (T,) in pixels, noise."""

    colour: np.ndarray
    gamma: float
    blur: np.ndarray
    noise: float
    noise_seed: int


@dataclass(frozen=True)
class RawClip:
    """All that was drawn by chance for one clip; rendering adds no chance. Layers from bottom to top."""

    frames: int
    size: int
    layers: tuple[Layer, ...]
    finish: PhotometricParams


@dataclass(frozen=True)
class ClipBatch:
    """Clips for one training step, on the training device.

    Args:
        images: float32 (T, B, 3, H, W), RGB with the ImageNet mean taken off and divided by its deviation.
        masks: int64 (T, B, H, W), ids 0..N of each sample; every id of the sample is there in frame 0.
        object_counts: N of each sample, at least 1.
    """

    images: torch.Tensor
    masks: torch.Tensor
    object_counts: list[int]


def table_of(ids: Sequence[int]) -> np.ndarray:
    """uint8 (256,): each of ``ids`` stays as it is, every other becomes background."""
    table = np.zeros(256, np.uint8)
    table[list(ids)] = list(ids)
    return table


def with_labels(rng: np.random.Generator, layers: list[Layer], most: int) -> list[Layer]:
    """Gives the objects the ids 1..N in random order; beyond ``most`` pasted ones become background."""
    scene = layers[0]
    counts = np.bincount(scene.masks[0].ravel(), minlength=256)
    in_scene = [] if scene.fill_holes else [int(i) for i in np.flatnonzero(counts) if i]
    # an id of the scene that only shows up later is nobody's: the table leaves it background
    labels = [*in_scene, *(layer.label for layer in layers[1:] if layer.label)][:most]
    ids = dict(zip(labels, (int(i) + 1 for i in rng.permutation(len(labels))), strict=True))
    if not scene.fill_holes:
        table = np.zeros(256, np.uint8)
        for old in in_scene:
            table[old] = ids.get(old, 0)
        scene = replace(scene, masks=tuple(table[mask] for mask in scene.masks))
    return [scene, *(replace(layer, label=ids.get(layer.label or 0, 0)) for layer in layers[1:])]


CUT_MARGIN = 4  # pixels kept around a cut-out object, so that its soft edge has something to fade into
LONGEST_SMEAR = 14.0  # pixels of motion blur


@dataclass(frozen=True)
class View:
    """What the camera sees: homographies float64 (T, 3, 3), output pixels to pixels of the scene."""

    size: int
    camera: np.ndarray

    @property
    def relative(self) -> np.ndarray:
        """Output pixels of frame t to where the same still point is in frame 0: (T, 3, 3)."""
        result: np.ndarray = np.linalg.inv(self.camera[0]) @ self.camera
        return result


def crop_that_keeps(
    rng: np.random.Generator,
    objects: Sequence[np.ndarray],
    sides: tuple[float, float],
    keep: float,
    tries: int = 10,
) -> tuple[float, float, float]:
    """A square crop with at least the share ``keep`` of the objects' pixels, or the best of the tries.

    Args:
        objects: bool (H, W) of one frame, or of several that each should keep that share.
        sides: smallest and largest side in units of the shorter side.
        keep: 0 to 1.

    Returns:
        (x, y) of the centre and the side, in pixels.
    """
    height, width = int(objects[0].shape[0]), int(objects[0].shape[1])
    small = [mask[::2, ::2] for mask in objects if mask.any()]
    best, best_share = (width / 2, height / 2, float(min(height, width))), -1.0
    if not small:
        return best
    ys, xs = np.nonzero(small[0])
    totals = [max(int(np.count_nonzero(mask)), 1) for mask in small]
    for _ in range(tries if len(ys) else 0):
        side = float(rng.uniform(*sides)) * min(height, width)
        pick = rng.integers(len(ys))  # a random pixel of the objects lies somewhere in the crop
        offset = rng.uniform(-0.45, 0.45, 2) * side
        x = float(np.clip(2 * xs[pick] + offset[0], side / 2, width - side / 2))
        y = float(np.clip(2 * ys[pick] + offset[1], side / 2, height - side / 2))
        area = np.s_[_half(y - side / 2) : _half(y + side / 2), _half(x - side / 2) : _half(x + side / 2)]
        share = min(int(np.count_nonzero(mask[area])) / n for mask, n in zip(small, totals, strict=True))
        if share > best_share:
            best, best_share = (x, y, side), share
        if share >= keep:
            break
    return best


def _half(position: float) -> int:
    return max(int(position / 2), 0)


def crop_camera(
    rng: np.random.Generator, crop: tuple[float, float, float], size: int, turn: float
) -> np.ndarray:
    """Homography (3, 3) of a crop: mirrored half of the time, turned, its sides a few percent unequal."""
    x, y, side = crop
    stretch = np.exp(rng.normal(0.0, 0.06))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    scale = side / size
    matrix = np.diag([scale * stretch * mirror, scale / stretch, 1.0])
    middle = (size - 1) / 2
    place = translation(x - 0.5, y - 0.5) @ pose(turn, 1.0, 0, 0, 0, 1.0)
    result: np.ndarray = place @ matrix @ translation(-middle, -middle)
    return result


def scene_layer(
    view: View, pictures: Sequence[Picture], labels: np.ndarray, bend: np.ndarray | None, shutter: float
) -> Layer:
    """The bottom layer. ``labels`` is a table uint8 (256,) from the picture's ids to the clip's."""
    height, width = pictures[0].mask.shape
    # a bend refers to the whole picture; without one, what the camera never sees can stay behind
    left, top, right, bottom = _seen(view, height, width) if bend is None else (0, 0, width, height)
    area = np.s_[top:bottom, left:right]
    middle = np.array([[view.size / 2, view.size / 2]])
    return Layer(
        images=tuple(p.image[area] for p in pictures),
        masks=tuple(labels[p.mask[area]] for p in pictures),
        homography=translation(-left, -top) @ view.camera,
        bend=bend,
        label=None,
        window=(0, 0, view.size, view.size),
        colour=None,
        smear=_smear(view.camera, project(view.camera[0], middle), shutter),
    )


def _seen(view: View, height: int, width: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of the pictures that the camera sees, with a margin."""
    reached = project(view.camera, corners(view.size, view.size)).reshape(-1, 2)
    left, top = (np.floor(reached.min(0)).astype(int) - 2).clip(0, [width - 2, height - 2])
    right, bottom = (np.ceil(reached.max(0)).astype(int) + 3).clip([left + 2, top + 2], [width, height])
    return int(left), int(top), int(right), int(bottom)


@dataclass(frozen=True)
class CutOut:
    """An object cut out of its pictures: images and 0/1 masks (one or T) around it, and where they were."""

    images: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...]
    left: int
    top: int

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.masks[0].shape
        return height, width

    def box(self) -> tuple[float, float, float, float]:
        """Centre x, y and width, height of the object in the first frame, in pixels of the cut-out."""
        ys, xs = np.nonzero(self.masks[0])
        return (xs.min() + xs.max()) / 2, (ys.min() + ys.max()) / 2, np.ptp(xs) + 1.0, np.ptp(ys) + 1.0


def cut_out(pictures: Sequence[Picture], ids: Sequence[int], min_pixels: int) -> CutOut | None:
    """The object made of ``ids``, or None if it has fewer than ``min_pixels`` pixels in the first frame."""
    table = np.zeros(256, np.uint8)
    table[list(ids)] = 1
    masks = [table[p.mask] for p in pictures]
    if np.count_nonzero(masks[0]) < min_pixels:
        return None
    rows = np.flatnonzero(np.any([m.any(1) for m in masks], 0))
    columns = np.flatnonzero(np.any([m.any(0) for m in masks], 0))
    top, left = max(int(rows[0]) - CUT_MARGIN, 0), max(int(columns[0]) - CUT_MARGIN, 0)
    area = np.s_[top : int(rows[-1]) + CUT_MARGIN + 1, left : int(columns[-1]) + CUT_MARGIN + 1]
    return CutOut(tuple(p.image[area] for p in pictures), tuple(m[area] for m in masks), left, top)


def random_placement(
    rng: np.random.Generator, thing: CutOut, size: int, largest: float
) -> tuple[np.ndarray, tuple[float, float]]:
    """Homography (3, 3) from the cut-out's pixels to a random place and pose in the clip, and (x, y)."""
    x, y, width, height = thing.box()
    target = np.exp(rng.uniform(np.log(0.15), np.log(largest))) * size
    scale = min(target / np.sqrt(width * height), 2.5)
    centre = (float(rng.uniform(0.05, 0.95) * size), float(rng.uniform(0.05, 0.95) * size))
    stretch = np.exp(rng.normal(0.0, 0.1))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    shape = np.diag([mirror * stretch, 1.0 / stretch, 1.0])
    turned = pose(float(rng.normal(0.0, 0.2)), scale, float(rng.normal(0.0, 0.08)), 0, 0, 1.0)
    return translation(*centre) @ turned @ shape @ translation(-x, -y), centre


def moving_layer(
    rng: np.random.Generator,
    view: View,
    thing: CutOut,
    placement: np.ndarray,
    energy: float,
    label: int,
    drift: tuple[float, float] = (0.0, 0.0),
    shutter: float = 0.0,
    colour: np.ndarray | None = None,
) -> Layer | None:
    """A cut-out as a layer that moves with the camera and by itself; None if it never comes into view.

    Args:
        placement: (3, 3), pixels of the cut-out to output pixels in frame 0.
        energy: of its own motion, 1 is moderate.
        drift: (x, y) pixels of the clip that it moves besides, from the first to the last frame.
        shutter: share of the time between frames that the motion blur covers.
    """
    frames, (height, width) = len(view.camera), thing.extent
    x, y, box_width, box_height = thing.box()
    pivot = project(placement, np.array([[x, y]]))[0]
    reach = max(float(np.sqrt(abs(np.linalg.det(placement[:2, :2])) * box_width * box_height)) / 2, 8.0)
    # small things seldom cross half of the frame in one step
    shift_scale = energy * min(1.0, 0.35 + 2.0 * reach / view.size)
    motion = random_motion(rng, frames, OBJECT, shift_scale, (pivot[0], pivot[1]), view.size, reach)
    steps = np.linspace(0.0, 1.0, frames)
    motion = np.stack(
        [translation(drift[0] * s, drift[1] * s) @ m for s, m in zip(steps, motion, strict=True)]
    )
    homography = np.linalg.inv(motion @ placement) @ view.relative
    bend = random_bend(rng, frames, OBJECT.bend * energy, height, width)
    smear = _smear(homography, np.array([[x, y]]), shutter)
    window = _window(homography, view.size, height, width, float(np.abs(smear).max()) + 2)
    if window is None:
        return None
    return Layer(thing.images, thing.masks, homography, bend, label, window, colour, smear)


def _window(
    homography: np.ndarray, size: int, height: int, width: int, margin: float
) -> tuple[int, int, int, int] | None:
    """The part of the output that the layer touches in any frame, room for its bend included."""
    padded = corners(height, width) + 0.13 * np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]]) * [width, height]
    reached = project(np.linalg.inv(homography), padded).reshape(-1, 2)
    if not np.isfinite(reached).all():
        return None
    left, top = np.floor(reached.min(0) - margin).clip(0, size).astype(int)
    right, bottom = np.ceil(reached.max(0) + margin + 1).clip(0, size).astype(int)
    if right - left < 4 or bottom - top < 4:
        return None
    return int(top), int(left), int(bottom), int(right)


def _smear(homography: np.ndarray, point: np.ndarray, shutter: float) -> np.ndarray:
    """Motion blur of a layer from the path of one of its points: float32 (T, 2) in output pixels."""
    path = project(np.linalg.inv(homography), point)[:, 0]  # (T, 2)
    smear = np.gradient(path, axis=0) * shutter
    length = np.linalg.norm(smear, axis=1, keepdims=True)
    result: np.ndarray = smear * np.minimum(1.0, LONGEST_SMEAR / np.maximum(length, 1e-6))
    return result.astype(np.float32)
