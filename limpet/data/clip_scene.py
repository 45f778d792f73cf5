"""The scene of a clip: what is drawn for it, the crop and the camera that see it, and its layers.

Shapes: T frames, H W pixels; homographies float64 (3, 3) or (T, 3, 3), which map pixels (x, y, 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np

from limpet.data.config import ClipConfig
from limpet.data.image_cache import LabelledImage
from limpet.data.layers import CameraView, Layer, cut_out, keep_ids, motion_blur_of, moving_layer
from limpet.data.random_warps import (
    CAMERA,
    HANDHELD,
    change_shape,
    corners,
    draw_energy,
    keep_inside,
    pose,
    project,
    random_bend,
    random_motion,
    translation,
)
from limpet.data.trajectories import has_trajectory, log_uniform, moving_crop, progress_of_change

PHOTO_SIDES = (0.6, 1.0)  # side of a photo's crop, in units of its shorter side
SMALLEST_SIDE = 0.35  # of a crop that zooms, in units of the shorter side: beyond that its pixels are large
MAX_HOLE = 0.4  # share of a photo that may be closed behind objects which are lifted out of it
BACKDROP_PROB = 0.7  # that objects which move far get another background: what closes behind them is blurred
CAMERA_ZOOM_PROB = 0.7  # that the camera zooms, in clips with zoom at all


@dataclass(frozen=True)
class Scene:
    """Images (one or T), the ids in them that count as objects, their kind (a photo's, or ``video``), and its data set.

    source: number of the data set of a video, see ``limpet.data.video_mixture``; None for photos.
    """

    images: tuple[LabelledImage, ...]
    ids: tuple[int, ...]
    kind: str
    source: int | None = None


DrawScene = Callable[[], Scene | None]


class ClipStyle(NamedTuple):
    """Properties of a whole clip.

    energy: strength of all motion, see ``draw_energy``.
    shutter: share of the time between frames (0..1) that the camera's motion blur covers.
    crowded: many objects are pasted.
    attached_object_prob: probability that a pasted object is attached to another one.
    """

    energy: float
    shutter: float
    crowded: bool
    attached_object_prob: float


def photo_view(rng: np.random.Generator, scene: Scene, config: ClipConfig, energy: float) -> CameraView:
    """A camera that moves over a photo."""
    size = config.size
    mask = scene.images[0].mask
    objects = np.isin(mask, scene.ids)
    zoom, sides = _camera_zoom(rng, config, PHOTO_SIDES)
    crop = crop_that_keeps(rng, [objects], sides, float(rng.uniform(0.4, 1.0)))
    first = crop_camera(rng, crop, size, float(rng.normal(0.0, 0.08)))
    middle = (size / 2, size / 2)
    motion = random_motion(rng, config.frames, CAMERA, energy, middle, size, size / 2)
    if zoom is not None:  # towards the objects, or away from them
        target = project(np.linalg.inv(first), np.array([_centre_of(objects)]))[0].clip(0, size)
        about = np.stack([np.diag([z, z, 1.0]) for z in zoom])
        motion = change_shape(motion, translation(*target) @ about @ translation(*-target), target)
    return CameraView(size, keep_inside(first @ np.linalg.inv(motion), size, *mask.shape))


def video_view(rng: np.random.Generator, scene: Scene, config: ClipConfig) -> CameraView:
    """A crop that stays where it is, since a video has motion of its own, or zooms; sometimes the camera shakes."""
    size, mask = config.size, scene.images[0].mask
    if config.max_zoom > 1 or config.out_of_view_prob > 0:
        return _moving_video_view(rng, scene, config)
    # most crops keep the objects to the end: a clip that they leave at once teaches little
    frames = [0, -1] if rng.random() < 0.7 else [0]
    objects = [np.isin(scene.images[t].mask, scene.ids) for t in frames]
    crop = crop_that_keeps(rng, objects, config.crop_side, float(rng.uniform(0.5, 1.0)))
    turn = float(rng.normal(0.0, 0.08)) if rng.random() < 0.3 else 0.0
    first = crop_camera(rng, crop, size, turn)
    energy = draw_energy(rng) if rng.random() < 0.3 else 0.0
    middle = (size / 2, size / 2)
    motion = random_motion(rng, config.frames, HANDHELD, energy, middle, size, size / 2)
    return CameraView(size, keep_inside(first @ np.linalg.inv(motion), size, *mask.shape))


def _moving_video_view(rng: np.random.Generator, scene: Scene, config: ClipConfig) -> CameraView:
    """A crop that zooms and follows the objects of a video more or less, or loses them for a while."""
    size, (height, width) = config.size, scene.images[0].mask.shape
    zoom, sides = _camera_zoom(rng, config, config.crop_side)
    objects = [np.isin(image.mask[::2, ::2], scene.ids) for image in scene.images]
    crops = moving_crop(rng, objects, zoom, sides, config.out_of_view_prob)
    turn = float(rng.normal(0.0, 0.08)) if rng.random() < 0.3 else 0.0
    camera = crop_cameras(rng, crops, size, turn)
    energy = draw_energy(rng) if rng.random() < 0.3 else 0.0
    motion = random_motion(rng, config.frames, HANDHELD, energy, (size / 2, size / 2), size, size / 2)
    return CameraView(size, keep_inside(camera @ np.linalg.inv(motion), size, height, width))


def _camera_zoom(
    rng: np.random.Generator, config: ClipConfig, sides: tuple[float, float]
) -> tuple[np.ndarray | None, tuple[float, float]]:
    """The camera's zoom (T,), 1 in frame 0, or None, and the smallest and largest side of its first crop.

    Args:
        sides: of crops that do not zoom, in units of the shorter side; no crop becomes larger.
    """
    if config.max_zoom <= 1 or rng.random() >= CAMERA_ZOOM_PROB:
        return None, sides
    smallest, largest = min(SMALLEST_SIDE, sides[0]), sides[1]
    logarithm = log_uniform(rng, min(config.max_zoom, largest / smallest))
    zoom = np.exp(progress_of_change(rng, config.frames) * logarithm)
    high = max(min(largest, largest * float(zoom.min())), smallest)
    low = min(max(smallest * float(zoom.max()), min(sides[0], high)), high)
    return zoom, (low, high)


def scene_layers(
    rng: np.random.Generator,
    scene: Scene,
    view: CameraView,
    style: ClipStyle,
    config: ClipConfig,
    draw_scene: DrawScene,
) -> list[Layer]:
    """The scene as a layer; the objects of a photo are often lifted out of it and move as layers of their own.

    Args:
        draw_scene: draws another scene, for the background of objects that move far; None where that failed.
    """
    if scene.kind == "video":
        return [scene_layer(view, scene.images, keep_ids(scene.ids), None, 0.0)]
    mask = scene.images[0].mask
    bend = random_bend(rng, config.frames, CAMERA.bend * style.energy, *mask.shape)
    whole = scene_layer(view, scene.images, keep_ids(scene.ids), bend, style.shutter)
    covered = np.isin(mask, scene.ids).mean()
    most, stay_prob = (0.75, 0.2) if has_trajectory(config) else (MAX_HOLE, 0.4)
    if scene.kind != "objects" or covered > most or rng.random() < stay_prob:
        return [whole]
    lifted = []
    for number in scene.ids[:4]:  # each moves by itself, over a scene that closes behind it
        thing = cut_out(scene.images, [number], config.min_pixels)
        if thing is not None:
            placement = np.linalg.inv(translation(-thing.left, -thing.top) @ view.camera[0])
            own, shutter = style.energy * 0.8, style.shutter
            layer = moving_layer(rng, view, thing, placement, own, number, shutter=shutter, config=config)
            lifted += [layer] if layer is not None else []
    holes = np.zeros(256, np.uint8)
    holes[[layer.label for layer in lifted if layer.label is not None]] = 1
    if len(
        np.setdiff1d(scene.ids, np.flatnonzero(holes))
    ):  # some were not lifted: leave everything in the photo
        return [whole]
    if has_trajectory(config) and (covered > MAX_HOLE or rng.random() < BACKDROP_PROB):
        other = draw_scene()
        if other is not None:
            return [_backdrop(view, other, mask.shape, bend, style.shutter), *lifted]
        if covered > MAX_HOLE:
            return [whole]
    # masks seldom reach the very edge of an object: what is left of it would give away where it was
    behind = tuple(cv2.dilate(holes[m], np.ones((9, 9), np.uint8)) for m in whole.masks)
    return [replace(whole, masks=behind, fill_holes=True), *lifted]


def _backdrop(
    view: CameraView, other: Scene, shape: tuple[int, ...], bend: np.ndarray | None, shutter: float
) -> Layer:
    """Another scene, none of whose objects counts, as the background of one with height and width ``shape``."""
    (height, width), image = shape, other.images[0].image
    scale = max(height / image.shape[0], width / image.shape[1])
    size = (max(round(image.shape[1] * scale), width), max(round(image.shape[0] * scale), height))
    covering = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    part = np.ascontiguousarray(covering[top : top + height, left : left + width])
    background = LabelledImage(part, np.zeros((height, width), np.uint8))
    return scene_layer(view, [background], keep_ids([]), bend, shutter)


def scene_layer(
    view: CameraView,
    images: Sequence[LabelledImage],
    labels: np.ndarray,
    bend: np.ndarray | None,
    shutter: float,
) -> Layer:
    """The bottom layer. ``labels`` is a table uint8 (256,) from the image's ids to the clip's."""
    height, width = images[0].mask.shape
    # a bend refers to the whole image; without one, what the camera never sees can be left out
    left, top, right, bottom = _visible_part(view, height, width) if bend is None else (0, 0, width, height)
    area = np.s_[top:bottom, left:right]
    middle = np.array([[view.size / 2, view.size / 2]])
    return Layer(
        images=tuple(p.image[area] for p in images),
        masks=tuple(labels[p.mask[area]] for p in images),
        homography=translation(-left, -top) @ view.camera,
        bend=bend,
        label=None,
        window=(0, 0, view.size, view.size),
        colour=None,
        motion_blur=motion_blur_of(view.camera, project(view.camera[0], middle), shutter),
    )


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


def crop_camera(
    rng: np.random.Generator, crop: tuple[float, float, float], size: int, turn: float
) -> np.ndarray:
    """Homography (3, 3) of a crop: mirrored half of the time, turned, its sides a few per cent unequal."""
    result: np.ndarray = crop_cameras(rng, np.array([crop]), size, turn)[0]
    return result


def crop_cameras(rng: np.random.Generator, crops: np.ndarray, size: int, turn: float) -> np.ndarray:
    """Homographies (T, 3, 3) of crops (T, 3), all mirrored and turned alike, see ``crop_camera``."""
    stretch = np.exp(rng.normal(0.0, 0.06))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    middle = (size - 1) / 2
    cameras = []
    for x, y, side in crops:
        scale = side / size
        matrix = np.diag([scale * stretch * mirror, scale / stretch, 1.0])
        place = translation(x - 0.5, y - 0.5) @ pose(turn, 1.0, 0, 0, 0, 1.0)
        cameras.append(place @ matrix @ translation(-middle, -middle))
    return np.stack(cameras)


def _visible_part(view: CameraView, height: int, width: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the part of the images that the camera sees, with a margin."""
    reached = project(view.camera, corners(view.size, view.size)).reshape(-1, 2)
    left, top = (np.floor(reached.min(0)).astype(int) - 2).clip(0, [width - 2, height - 2])
    right, bottom = (np.ceil(reached.max(0)).astype(int) + 3).clip([left + 2, top + 2], [width, height])
    return int(left), int(top), int(right), int(bottom)


def _centre_of(region: np.ndarray) -> tuple[float, float]:
    """Centroid (x, y) of a region that is not empty."""
    ys, xs = np.nonzero(region)
    return float(xs.mean()), float(ys.mean())


def _half(position: float) -> int:
    return max(int(position / 2), 0)
