"""Layers of a synthetic clip: a scene at the bottom, and objects cut out of images and pasted on top, which move.

Each layer has a height and width of its own, in pixels of its images; T is the number of frames of the clip. Images are
uint8 (height, width, 3) RGB, masks uint8 (height, width). Homographies map pixels (x, y, 1): float64 (3, 3), or
(T, 3, 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from limpet.data.config import ClipConfig
from limpet.data.image_cache import LabelledImage
from limpet.data.photometric import PhotometricParams
from limpet.data.random_warps import (
    OBJECT,
    change_shape,
    corners,
    pose,
    project,
    random_bend,
    random_motion,
    translation,
)
from limpet.data.trajectories import has_trajectory, random_trajectory

CUT_MARGIN = 4  # pixels kept around a cut-out object, so that its soft edge has something to fade into
MAX_MOTION_BLUR = 14.0  # pixels
MAX_FAST_BLUR = 28.0  # pixels, of objects that may move fast


@dataclass(frozen=True)
class Layer:
    """One sheet of a clip: the scene at the bottom, or one object cut out and pasted on top.

    Args:
        images: uint8 (height, width, 3) RGB, one for all T frames (a photo) or T (a video).
        masks: uint8 (height, width), as many; in the scene the ids of the clip, in an object 1 where it is.
        homography: float64 (T, 3, 3), output pixels to pixels of this layer's images.
        bend: float32 (T, 2, n, n), smooth displacement (x, y) in pixels over the whole image, or None.
        label: id in the clip of a cut-out object (0: a distractor that is background); None for the scene.
        window: top, left, bottom, right of the part of the clip that this layer can touch.
        colour: float32 (3, 4), RGB -> RGB affine map, or None.
        motion_blur: float32 (T, 2), the path (x, y) in output pixels along which each frame is blurred.
        fill_holes: where the scene's mask is not 0, objects were cut out: fill from around, label 0.
    """

    images: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...]
    homography: np.ndarray
    bend: np.ndarray | None
    label: int | None
    window: tuple[int, int, int, int]
    colour: np.ndarray | None
    motion_blur: np.ndarray
    fill_holes: bool = False

    def of_frame(self, t: int, size: int) -> Layer | None:
        """A cut-out in frame ``t`` of a clip with sides ``size``, in a window of its own; None if it is out of view."""
        height, width = self.masks[0].shape
        blur = self.motion_blur[t : t + 1]
        homography = self.homography[t : t + 1]
        top, left, bottom, right = layer_window(
            homography, size, height, width, float(np.abs(blur).max()) + 2
        )
        if right <= left or bottom <= top:
            return None
        return replace(
            self,
            images=(self.images[min(t, len(self.images) - 1)],),
            masks=(self.masks[min(t, len(self.masks) - 1)],),
            homography=homography,
            bend=None if self.bend is None else self.bend[t : t + 1],
            window=(top, left, bottom, right),
            motion_blur=blur,
        )


@dataclass(frozen=True)
class RawClip:
    """Everything that was drawn at random for one clip; rendering is deterministic. Layers from bottom to top."""

    frames: int
    size: int
    layers: tuple[Layer, ...]
    photometric: PhotometricParams


@dataclass(frozen=True)
class CameraView:
    """What the camera sees.

    Args:
        size: side of the clip in pixels.
        camera: float64 (T, 3, 3), output pixels to pixels of the scene.
    """

    size: int
    camera: np.ndarray

    @property
    def relative(self) -> np.ndarray:
        """Output pixels of frame t to where the same still point is in frame 0: (T, 3, 3)."""
        result: np.ndarray = np.linalg.inv(self.camera[0]) @ self.camera
        return result


@dataclass(frozen=True)
class CutOut:
    """An object cut out of its images: images and 0/1 masks (one or T) around it, and where they were."""

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


def cut_out(images: Sequence[LabelledImage], ids: Sequence[int], min_pixels: int) -> CutOut | None:
    """The object made of ``ids``, or None if it has fewer than ``min_pixels`` pixels in the first frame."""
    table = np.zeros(256, np.uint8)
    table[list(ids)] = 1
    masks = [table[p.mask] for p in images]
    if np.count_nonzero(masks[0]) < min_pixels:
        return None
    rows = np.flatnonzero(np.any([m.any(1) for m in masks], 0))
    columns = np.flatnonzero(np.any([m.any(0) for m in masks], 0))
    top, left = max(int(rows[0]) - CUT_MARGIN, 0), max(int(columns[0]) - CUT_MARGIN, 0)
    area = np.s_[top : int(rows[-1]) + CUT_MARGIN + 1, left : int(columns[-1]) + CUT_MARGIN + 1]
    return CutOut(tuple(p.image[area] for p in images), tuple(m[area] for m in masks), left, top)


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
    view: CameraView,
    thing: CutOut,
    placement: np.ndarray,
    energy: float,
    label: int,
    shifts: np.ndarray | None = None,
    shutter: float = 0.0,
    colour: np.ndarray | None = None,
    config: ClipConfig | None = None,
) -> Layer | None:
    """A cut-out as a layer that moves with the camera and by itself; None if it never comes into view.

    Args:
        placement: (3, 3), pixels of the cut-out to output pixels in frame 0.
        energy: of its own motion, 1 is moderate.
        shifts: float64 (T, 2), additional displacement (x, y) in pixels of the clip.
        shutter: share of the time between frames that the motion blur covers.
        config: says what the object may do over the clip beside small motion, see ``random_trajectory``; None: nothing.
    """
    frames, (height, width) = len(view.camera), thing.extent
    x, y, box_width, box_height = thing.box()
    pivot = project(placement, np.array([[x, y]]))[0]
    reach = max(float(np.sqrt(abs(np.linalg.det(placement[:2, :2])) * box_width * box_height)) / 2, 8.0)
    # small things seldom cross half of the frame in one step
    shift_scale = energy * min(1.0, 0.35 + 2.0 * reach / view.size)
    changes = config if config is not None and has_trajectory(config) else None
    enlargement = float(np.sqrt(abs(np.linalg.det(placement[:2, :2]))))
    if changes is not None:  # perspective refers to all of the cut-out: an object of a video moves in it
        reach = max(float(np.linalg.norm(corners(height, width) - [x, y], axis=1).max()) * enlargement, 8.0)
    motion = random_motion(rng, frames, OBJECT, shift_scale, (pivot[0], pivot[1]), view.size, reach)
    total = np.zeros((frames, 2)) if shifts is None else shifts
    longest_blur = MAX_MOTION_BLUR
    if changes is not None:
        extent = (box_width * enlargement, box_height * enlargement)
        camera_zoom = 1.0 / local_scale(view.relative, pivot)
        whole = random_trajectory(rng, changes, (pivot[0], pivot[1]), extent, reach, enlargement, camera_zoom)
        motion, total = change_shape(motion, whole.change, pivot), total + whole.shifts
        if np.abs(whole.shifts).max() > 0:
            longest_blur, shutter = MAX_FAST_BLUR, max(shutter, float(rng.uniform(0.1, 0.6)))
    motion = np.stack([translation(*shift) @ m for shift, m in zip(total, motion, strict=True)])
    homography = np.linalg.inv(motion @ placement) @ view.relative
    bend = random_bend(rng, frames, OBJECT.bend * energy, height, width)
    blur = motion_blur_of(homography, np.array([[x, y]]), shutter, longest_blur)
    window = layer_window(homography, view.size, height, width, float(np.abs(blur).max()) + 2)
    if window[2] - window[0] < 4 or window[3] - window[1] < 4:
        return None
    return Layer(thing.images, thing.masks, homography, bend, label, window, colour, blur)


def local_scale(homography: np.ndarray, point: np.ndarray) -> np.ndarray:
    """By how much homographies (T, 3, 3) enlarge what is around a point (x, y): float64 (T,)."""
    depth = homography[:, 2] @ np.array([point[0], point[1], 1.0])
    result: np.ndarray = np.sqrt(np.abs(np.linalg.det(homography) / depth**3))
    return result


def motion_blur_of(
    homography: np.ndarray, point: np.ndarray, shutter: float, longest: float = MAX_MOTION_BLUR
) -> np.ndarray:
    """Motion blur of a layer from the path of one of its points: float32 (T, 2) in output pixels.

    Args:
        homography: (T, 3, 3), output pixels to pixels of the layer.
        point: float64 (1, 2), (x, y) in pixels of the layer.
        shutter: share of the time between frames that the blur covers.
        longest: pixels.
    """
    path = project(np.linalg.inv(homography), point)[:, 0]  # (T, 2)
    blur = np.gradient(path, axis=0) * shutter
    length = np.linalg.norm(blur, axis=1, keepdims=True)
    result: np.ndarray = blur * np.minimum(1.0, longest / np.maximum(length, 1e-6))
    return result.astype(np.float32)


def keep_ids(ids: Sequence[int]) -> np.ndarray:
    """Lookup table uint8 (256,): each of ``ids`` stays as it is, every other id becomes background."""
    table = np.zeros(256, np.uint8)
    table[list(ids)] = list(ids)
    return table


def renumber_objects(rng: np.random.Generator, layers: list[Layer], max_objects: int) -> list[Layer]:
    """Gives the objects the ids 1..N in random order; objects beyond ``max_objects`` become background."""
    scene = layers[0]
    counts = np.bincount(scene.masks[0].ravel(), minlength=256)
    in_scene = [] if scene.fill_holes else [int(i) for i in np.flatnonzero(counts) if i]
    # an id of the scene that only shows up later belongs to no object: the table leaves it background
    labels = [*in_scene, *(layer.label for layer in layers[1:] if layer.label)][:max_objects]
    ids = dict(zip(labels, (int(i) + 1 for i in rng.permutation(len(labels))), strict=True))
    if not scene.fill_holes:
        table = np.zeros(256, np.uint8)
        for old in in_scene:
            table[old] = ids.get(old, 0)
        scene = replace(scene, masks=tuple(table[mask] for mask in scene.masks))
    return [scene, *(replace(layer, label=ids.get(layer.label or 0, 0)) for layer in layers[1:])]


def layer_window(
    homography: np.ndarray, size: int, height: int, width: int, margin: float = 2
) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of what the layer touches in any frame, room for its bend included; may be empty."""
    padded = corners(height, width) + 0.13 * np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]]) * [width, height]
    reached = project(np.linalg.inv(homography), padded).reshape(-1, 2)
    if not np.isfinite(reached).all():
        return (0, 0, 0, 0)
    left, top = np.floor(reached.min(0) - margin).clip(0, size).astype(int)
    right, bottom = np.ceil(reached.max(0) + margin + 1).clip(0, size).astype(int)
    return int(top), int(left), int(bottom), int(right)
