"""Paints one frame and its exact mask: objects are warped, lit, shadowed, and laid over the farther ones."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .cutouts import Cutout, cut_out, photograph
from .motion import ACTORS, FRAME_COUNT, FRAME_SIZE, Actor, Pose, camera_window
from .outlines import OUTLINES

OVERSAMPLING = 2  # painted larger, then averaged down: smooth edges
SHADOW_STRENGTH = 0.35
NOISE = 1.6 / 255  # standard deviation, like a good phone camera
DUSK = np.array([0.94, 0.95, 1.02], np.float32)  # the objects take on a little of the evening's colour


@dataclass(frozen=True)
class Layer:
    """One object as it lies in the frame.

    colour: float32 (H, W, 3) in [0, 1]. alpha: float32 (H, W) in [0, 1].
    """

    object_id: int
    depth: float
    colour: np.ndarray
    alpha: np.ndarray


@dataclass(frozen=True)
class Stage:
    """The photographs, ready to be moved."""

    cutouts: dict[str, Cutout]
    background: np.ndarray  # float32 (H, W, 3) in [0, 1]


def set_stage() -> Stage:
    """Cuts every object out; takes about a second."""
    cutouts = {actor.name: cut_out(OUTLINES[actor.name]) for actor in ACTORS}
    return Stage(cutouts, photograph("rocket").astype(np.float32) / 255)


def paint(stage: Stage, index: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Frame `index` as uint8 (H, W, 3) RGB and its mask as uint8 (H, W) of object ids.

    A pixel belongs to the nearest object that covers more than half of it.
    """
    time = index / (FRAME_COUNT - 1)
    layers = [_layer(stage.cutouts[actor.name], actor, time) for actor in ACTORS]
    layers.sort(key=lambda layer: -layer.depth)
    picture = _background(stage.background, time)
    mask = np.zeros(FRAME_SIZE, np.uint8)
    for layer in layers:
        picture = picture * (1 - _shadow(layer.alpha))[..., None]
        picture += (layer.colour - picture) * layer.alpha[..., None]
        mask[_shrink(layer.alpha) > 0.5] = layer.object_id
    noise = np.random.default_rng((seed, index)).normal(0, NOISE, (*FRAME_SIZE, 3))
    frame = np.clip(_shrink(picture) + noise, 0, 1)
    return np.rint(frame * 255).astype(np.uint8), mask


def _shrink(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, FRAME_SIZE[::-1], interpolation=cv2.INTER_AREA)


def _background(photo: np.ndarray, time: float) -> np.ndarray:
    left, top, width = camera_window(time, photo.shape[:2])
    H, W = (side * OVERSAMPLING for side in FRAME_SIZE)
    step = width / W
    # each output pixel (x, y) looks at (left, top) + step * (x, y)
    matrix = np.array([[step, 0, left], [0, step, top]], np.float32)
    return cv2.warpAffine(
        photo, matrix, (W, H), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    ).clip(0, 1)


def _layer(cutout: Cutout, actor: Actor, time: float) -> Layer:
    """The object warped into the frame. Colours travel multiplied by alpha, so that edges stay clean."""
    map_x, map_y = _source_places(actor, actor.pose(time), time, cutout)
    packed = np.dstack([cutout.image * cutout.alpha[..., None], cutout.alpha])
    # a slight blur first: the object shrinks, and pixels that are skipped would flicker
    packed = cv2.GaussianBlur(packed, (0, 0), 0.45 / (actor.pose(time).scale * OVERSAMPLING))
    warped = cv2.remap(packed, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    alpha = warped[..., 3].clip(0, 1)
    colour = warped[..., :3] / np.maximum(alpha, 1e-4)[..., None]
    light = 1 + 0.07 * np.sin(2 * np.pi * (0.8 * time + actor.object_id / 3))
    return Layer(actor.object_id, actor.depth(time), (colour * DUSK * np.float32(light)).clip(0, 1), alpha)


def _source_places(actor: Actor, pose: Pose, time: float, cutout: Cutout) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel of the (larger) frame the place (x, y) in the cut-out, two float32 (H, W)."""
    H, W = (side * OVERSAMPLING for side in FRAME_SIZE)
    y, x = np.mgrid[:H, :W].astype(np.float32) + 0.5
    scale, angle = pose.scale * OVERSAMPLING, np.deg2rad(pose.angle)
    dx, dy = (x - pose.x * W) / scale, (y - pose.y * H) / scale
    u = np.cos(angle) * dx + np.sin(angle) * dy
    v = -np.sin(angle) * dx + np.cos(angle) * dy
    size = float(max(cutout.alpha.shape))
    swing = 2 * np.pi * (2 * time + actor.object_id / 3)
    ripple_u = actor.wobble * size * np.sin(2 * np.pi * v / size * 1.1 + swing)
    ripple_v = actor.wobble * size * np.sin(2 * np.pi * u / size * 1.3 + 0.8 * swing)
    pad_top = OUTLINES[actor.name].pad_top
    places = u + ripple_u + actor.centre[0] - 0.5, v + ripple_v + actor.centre[1] + pad_top - 0.5
    return places[0].astype(np.float32), places[1].astype(np.float32)


def _shadow(alpha: np.ndarray) -> np.ndarray:
    """float32 (H, W): how much darker the object makes what lies behind it, below and to the right."""
    shift = np.array([[1, 0, 6 * OVERSAMPLING], [0, 1, 8 * OVERSAMPLING]], np.float32)
    moved = cv2.warpAffine(alpha, shift, alpha.shape[::-1])
    return SHADOW_STRENGTH * cv2.GaussianBlur(moved, (0, 0), 6.0 * OVERSAMPLING)
