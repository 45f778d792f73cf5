"""What an object does over a whole clip: it grows or shrinks, turns, moves fast, leaves the frame and comes back.

These are the attributes by which DAVIS names hard sequences (Perazzi et al. 2016, table 1): scale variation, appearance
change, fast motion, out-of-view. They come on top of the small smooth motion of ``random_motion``.

Shapes: T frames; homographies float64 (3, 3) or (T, 3, 3), which map pixels (x, y, 1).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from limpet.data.config import ClipConfig
from limpet.data.random_warps import translation

TAKEN_BACK = 0.2  # share of the changes that are undone before the clip ends
MAX_TURN_AWAY = np.deg2rad(70.0)  # out of the image plane; beyond that an object is a line
PERSPECTIVE = 0.35  # relative change of scale at the edge of an object that is turned away by 90 degrees
MIN_SIDE = 16.0  # pixels of an object in the first frame, as the side of a square
MAX_SIDE = 1.1  # of an object in units of the clip's side
MAX_ENLARGEMENT = 3.5  # pixels of the clip for one of the photo: beyond that objects are blurred
FAST_STEPS = (0.15, 0.45)  # of the clip's side, from frame to frame
RETURNS = 0.75  # probability that an object that leaves comes back


class Trajectory(NamedTuple):
    """change: (T, 3, 3), scale and pose about the object's centre, frame 0 included. shifts: (T, 2), (x, y) in
    pixels of the clip from where it is in frame 0."""

    change: np.ndarray
    shifts: np.ndarray


def progress_of_change(rng: np.random.Generator, frames: int) -> np.ndarray:
    """How much of a change has come about in each frame: float64 (T,) from 0 to 1, sometimes to 1 and back."""
    time = np.linspace(0.0, 1.0, frames) ** float(np.exp(rng.uniform(-0.5, 0.5)))
    if frames > 2 and rng.random() < TAKEN_BACK:
        there_and_back = np.sin(np.pi * time) ** 2
        time = there_and_back / there_and_back.max()
    result: np.ndarray = time
    return result


def log_uniform(rng: np.random.Generator, largest: float) -> float:
    """A factor between 1 / ``largest`` and ``largest``, as its logarithm."""
    limit = float(np.log(largest))
    return float(rng.uniform(-limit, limit))


def has_trajectory(config: ClipConfig) -> bool:
    """Whether objects of these clips do anything over a clip but move a little."""
    return (
        config.max_zoom > 1
        or config.max_rotation > 0
        or config.fast_motion_prob > 0
        or config.out_of_view_prob > 0
    )


def random_trajectory(
    rng: np.random.Generator,
    config: ClipConfig,
    pivot: tuple[float, float],
    extent: tuple[float, float],
    reach: float,
    enlargement: float,
    camera_zoom: np.ndarray,
) -> Trajectory:
    """What one object does over a clip.

    Args:
        pivot: (x, y), its centre in frame 0 in pixels of the clip.
        extent: its width and height there, as it was placed.
        reach: of the farthest point of its images from the centre, to which the perspective refers.
        enlargement: pixels of the clip for one pixel of its own image, as it was placed.
        camera_zoom: (T,), by how much the camera enlarges what stands still, 1 in frame 0.
    """
    frames, half = config.frames, float(np.hypot(*extent)) / 2
    zoom = _zoom(rng, config, float(np.sqrt(extent[0] * extent[1])), enlargement, camera_zoom)
    poses = np.stack([np.diag([z, z, 1.0]) for z in zoom])
    if config.max_rotation > 0:
        poses = poses @ _rotation(rng, frames, np.deg2rad(config.max_rotation), reach)
    change = translation(*pivot) @ poses @ translation(-pivot[0], -pivot[1])
    shifts = np.zeros((frames, 2))
    if rng.random() < config.fast_motion_prob:
        shifts = fast_path(rng, frames, pivot, config.size)
    if rng.random() < config.out_of_view_prob:
        shifts = shifts + excursion(rng, pivot, shifts, half * zoom * camera_zoom, config.size)
    return Trajectory(change, shifts)


def fast_path(rng: np.random.Generator, frames: int, start: tuple[float, float], size: int) -> np.ndarray:
    """Shifts (T, 2) in large steps that turn little from one to the next and stay in the frame."""
    place, places = np.array(start, float), [np.array(start, float)]
    angle = rng.uniform(0, 2 * np.pi)
    for _ in range(1, frames):
        angle += rng.normal(0.0, 0.5)
        step = float(rng.uniform(*FAST_STEPS)) * size
        for _ in range(8):  # back into the frame by a new direction
            goal = place + step * np.array([np.cos(angle), np.sin(angle)])
            if ((goal > 0.05 * size) & (goal < 0.95 * size)).all():
                break
            angle = rng.uniform(0, 2 * np.pi)
        place = np.clip(goal, 0.0, float(size))
        places.append(place)
    result: np.ndarray = np.stack(places) - places[0]
    return result


def excursion(
    rng: np.random.Generator,
    pivot: tuple[float, float],
    shifts: np.ndarray,
    reach: np.ndarray,
    size: int,
) -> np.ndarray:
    """Additional shifts (T, 2) that take an object out of the frame for a while, or for good.

    Args:
        shifts: (T, 2), where it is without. reach: (T,), its half diagonal in each frame.
    """
    away_by = absence(rng, len(shifts))
    places = np.array(pivot) + shifts
    gaps = np.array([pivot[0], size - pivot[0], pivot[1], size - pivot[1]])  # to the left, right, top, bottom
    chances = 1.0 / (np.maximum(gaps, 0.0) + 0.15 * size)
    side = int(rng.choice(4, p=chances / chances.sum()))
    axis, away = side // 2, -1.0 if side % 2 == 0 else 1.0
    border = 0.0 if away < 0 else float(size)
    complete = 1.05 if rng.random() < 0.7 else float(rng.uniform(0.2, 1.0))  # some leave but for a part
    out = away * np.maximum(away * (border - places[:, axis]) + complete * reach, 0.0)
    result = np.zeros_like(shifts)
    result[:, axis] = out * away_by
    return result


def absence(rng: np.random.Generator, frames: int) -> np.ndarray:
    """How far something has left in each frame: float64 (T,), 0 at first, then 1, and most often 0 in the end."""
    if frames > 2 and rng.random() < RETURNS:
        last_out = int(rng.integers(1, frames - 1))
        knots, values = [0, int(rng.integers(1, last_out + 1)), last_out, frames - 1], [0.0, 1.0, 1.0, 0.0]
    else:
        knots, values = [0, int(rng.integers(1, frames)), frames - 1], [0.0, 1.0, 1.0]
    result: np.ndarray = np.interp(np.arange(frames), knots, values)
    return result


def _zoom(
    rng: np.random.Generator, config: ClipConfig, side: float, enlargement: float, camera_zoom: np.ndarray
) -> np.ndarray:
    """Scale (T,) relative to how the object was placed, so that it is neither too small at first nor ever too large.

    With that of the camera its zoom from the first to the last frame is log-uniform.
    """
    if config.max_zoom <= 1:
        return np.ones(config.frames)
    own = np.zeros(config.frames)
    if rng.random() < 0.7:  # the others stand still in the scene
        total = log_uniform(rng, config.max_zoom)
        own = progress_of_change(rng, config.frames) * (total - float(np.log(camera_zoom[-1])))
    seen = own + np.log(camera_zoom)
    start = -rng.uniform(0.4, 1.0) * seen.max() - rng.uniform(0.0, 0.5) * seen.min()
    most = float(np.log(min(MAX_SIDE * config.size / side, MAX_ENLARGEMENT / enlargement))) - seen.max()
    start = max(min(start, most), float(np.log(MIN_SIDE / side)))
    result: np.ndarray = np.exp(own + start)
    return result


def _rotation(rng: np.random.Generator, frames: int, most: float, reach: float) -> np.ndarray:
    """Turns (T, 3, 3) about the origin: in the image plane, and out of it about an upright axis."""
    in_plane = rng.triangular(-most, 0.0, most) * progress_of_change(rng, frames)
    limit = min(most, MAX_TURN_AWAY)
    away = np.clip(
        rng.uniform(-limit / 2, limit / 2) + rng.uniform(-limit, limit) * progress_of_change(rng, frames),
        -limit,
        limit,
    )
    result = np.empty((frames, 3, 3))
    for t in range(frames):
        cos, sin = np.cos(in_plane[t]), np.sin(in_plane[t])
        turned = np.array([[np.cos(away[t]), 0, 0], [0, 1, 0], [PERSPECTIVE * np.sin(away[t]) / reach, 0, 1]])
        result[t] = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]]) @ turned
    return result


def moving_crop(
    rng: np.random.Generator,
    objects: list[np.ndarray],
    zoom: np.ndarray | None,
    sides: tuple[float, float],
    out_of_view_prob: float,
) -> np.ndarray:
    """Square crops of a video (T, 3), centre (x, y) and side in pixels, that follow its objects more or less.

    Args:
        objects: T masks, bool, of every second pixel of the frames.
        zoom: (T,) of the camera, 1 in frame 0; None is 1.
        sides: smallest and largest side of the first crop, in units of the frames' shorter side.
    """
    frames, extent = len(objects), 2.0 * np.array(objects[0].shape[::-1])
    short = float(extent.min())
    places, boxes = follow(objects)
    # the first frame shows what is tracked: a crop that is all object teaches little
    lowest = min(max(sides[0] * short, 0.9 * float(boxes[0].max())), sides[1] * short)
    first = float(np.exp(rng.uniform(np.log(lowest), np.log(sides[1] * short))))
    side = np.full(frames, first) if zoom is None else first / zoom
    side = side.clip(16.0, short)
    followed = 1.0 if rng.random() < 0.5 else float(rng.random())
    off_centre = rng.uniform(-0.3, 0.3, 2)
    centre = places[0] + followed * (places - places[0]) + off_centre * side[:, None]
    if rng.random() < out_of_view_prob:
        axis = int(np.argmax(extent))  # to where the frame is longer
        away = -1.0 if rng.random() * extent[axis] < places[0, axis] else 1.0
        without = places[:, axis] + away * 1.05 * (side + boxes[:, axis]) / 2
        centre[:, axis] += absence(rng, frames) * (without - centre[:, axis])
    half = side[:, None] / 2
    result: np.ndarray = np.c_[np.clip(centre, half, np.maximum(extent - half, half)), side]
    return result


def follow(objects: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Centre (x, y) and width, height (T, 2) of the objects in each of T masks of every second pixel, in pixels.

    Where there are none they are as in the frame before.
    """
    places: list[tuple[float, float]] = []
    boxes: list[tuple[float, float]] = []
    for mask in objects:
        ys, xs = np.nonzero(mask)
        if len(ys):
            places.append((2.0 * float(xs.mean()) + 0.5, 2.0 * float(ys.mean()) + 0.5))
            boxes.append((2.0 * float(np.ptp(xs)) + 2.0, 2.0 * float(np.ptp(ys)) + 2.0))
        else:
            places.append(places[-1] if places else (float(mask.shape[1]), float(mask.shape[0])))
            boxes.append(boxes[-1] if boxes else (2.0, 2.0))
    return np.array(places), np.array(boxes)
