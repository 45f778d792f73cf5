"""Smooth random motion as homographies and thin-plate splines, in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BEND_POINTS = 4  # control points per side of the thin-plate spline
BEND_CELLS = 17  # samples per side of the displacement field; the renderer interpolates between them
MAX_BEND_SLOPE = 0.8  # largest slope of the displacement field


@dataclass(frozen=True)
class MotionScale:
    """Standard deviation of the change from frame to frame at moderate energy (1.0).

    Args:
        shift: in sides of the clip.
        turn: in radians.
        zoom: of the logarithm of the scale.
        shear: as a slope.
        tilt: perspective, as the relative change of scale at the edge.
        bend: displacement of the spline's control points in sides of the image.
    """

    shift: float
    turn: float
    zoom: float
    shear: float
    tilt: float
    bend: float


CAMERA = MotionScale(shift=0.03, turn=0.04, zoom=0.035, shear=0.015, tilt=0.025, bend=0.012)
OBJECT = MotionScale(shift=0.05, turn=0.08, zoom=0.05, shear=0.03, tilt=0.03, bend=0.03)
HANDHELD = MotionScale(shift=0.012, turn=0.012, zoom=0.015, shear=0.0, tilt=0.0, bend=0.0)


def draw_energy(rng: np.random.Generator) -> float:
    """Strength of the motion of a clip, 1 being moderate: sometimes nearly still, sometimes violent."""
    chance = rng.random()
    if chance < 0.15:
        return float(rng.uniform(0.05, 0.3))
    if chance < 0.78:
        return float(rng.uniform(0.5, 1.2))
    return float(rng.uniform(1.4, 2.5))


def smooth_path(rng: np.random.Generator, frames: int, channels: int) -> np.ndarray:
    """A path from 0 whose speed changes slowly: float64 (T, channels), steps of standard deviation about 1."""
    speed = rng.standard_normal(channels)
    path = np.zeros((frames, channels))
    for t in range(1, frames):
        path[t] = path[t - 1] + speed
        speed = 0.8 * speed + 0.6 * rng.standard_normal(channels)
    return path


def translation(x: float, y: float) -> np.ndarray:
    """Homography (3, 3) that moves by (x, y) pixels."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def pose(turn: float, zoom: float, shear: float, tilt_x: float, tilt_y: float, reach: float) -> np.ndarray:
    """Homography (3, 3) about the origin; the perspective is ``tilt`` at ``reach`` pixels from it."""
    cos, sin = np.cos(turn) * zoom, np.sin(turn) * zoom
    linear = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    skew = np.array([[1.0, shear, 0.0], [0.0, 1.0, 0.0], [tilt_x / reach, tilt_y / reach, 1.0]])
    result: np.ndarray = linear @ skew
    return result


def random_motion(
    rng: np.random.Generator,
    frames: int,
    scale: MotionScale,
    energy: float,
    pivot: tuple[float, float],
    size: int,
    reach: float,
) -> np.ndarray:
    """Where the points of frame 0 are in frame t: float64 (T, 3, 3) in output pixels, the first the identity.

    Args:
        pivot: (x, y) about which the object turns and zooms.
        size: side of the clip in pixels; the unit of shifts.
        reach: half of the object's size in pixels, to which the perspective refers.
    """
    path = smooth_path(rng, frames, 7) * energy
    x, y = path[:, 0] * scale.shift * size, path[:, 1] * scale.shift * size
    zoom = np.exp(np.clip(path[:, 3] * scale.zoom, -0.7, 0.7))
    tilt = np.clip(path[:, 5:] * scale.tilt, -0.3, 0.3)
    motion = np.empty((frames, 3, 3))
    for t in range(frames):
        change = pose(
            path[t, 2] * scale.turn, zoom[t], path[t, 4] * scale.shear, tilt[t, 0], tilt[t, 1], reach
        )
        motion[t] = translation(pivot[0] + x[t], pivot[1] + y[t]) @ change @ translation(-pivot[0], -pivot[1])
    return motion


def change_shape(motion: np.ndarray, change: np.ndarray, pivot: np.ndarray) -> np.ndarray:
    """Motion (T, 3, 3) of something that is also changed (T, 3, 3) about its pivot (x, y), which moves as before.

    The change comes after rotation and tilt and before the shift: perspective would run off to infinity in what grows.
    """
    shifts = project(motion, pivot[None])[:, 0] - pivot
    moved = [
        translation(*shift) @ about @ translation(*-shift) @ pose
        for shift, about, pose in zip(shifts, change, motion, strict=True)
    ]
    return np.stack(moved)


def random_bend(
    rng: np.random.Generator, frames: int, deviation: float, height: int, width: int
) -> np.ndarray | None:
    """A thin-plate deformation that grows over the frames: float32 (T, 2, n, n), (x, y) in pixels.

    Control points move by 0.13 of the image's side at most. Where neighbours would still fold over each
    other, the whole field is made smaller: a displacement whose slope is below 1 is one to one.
    """
    if deviation < 1e-4:
        return None
    points = BEND_POINTS**2
    control = np.tanh(smooth_path(rng, frames, points * 2) * deviation / 0.13) * 0.13
    field = thin_plate_basis() @ control.reshape(frames, points, 2)  # (T, n*n, 2)
    field = (field * np.array([width, height])).reshape(frames, BEND_CELLS, BEND_CELLS, 2)
    cell = np.array([width, height]) / (BEND_CELLS - 1)
    slope_x, slope_y = np.diff(field, axis=2) / cell[0], np.diff(field, axis=1) / cell[1]
    steepest = np.sqrt((slope_x**2).sum(-1).max() + (slope_y**2).sum(-1).max())
    field *= min(1.0, MAX_BEND_SLOPE / max(float(steepest), 1e-9))
    result: np.ndarray = field.transpose(0, 3, 1, 2).astype(np.float32)
    return result


def thin_plate_basis() -> np.ndarray:
    """Matrix (n*n, points) from control values to the spline's values on the grid (Bookstein 1989)."""
    axis = np.linspace(0.0, 1.0, BEND_POINTS)
    control = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    axis = np.linspace(0.0, 1.0, BEND_CELLS)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    points = len(control)
    system = np.zeros((points + 3, points + 3))
    system[:points, :points] = _radial(control, control)
    system[:points, points:] = np.c_[np.ones(points), control]
    system[points:, :points] = system[:points, points:].T
    weights = np.linalg.solve(system, np.eye(points + 3)[:, :points])
    basis: np.ndarray = np.c_[_radial(grid, control), np.ones(len(grid)), grid] @ weights
    return basis


def _radial(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squared = ((a[:, None] - b[None]) ** 2).sum(-1)
    values: np.ndarray = squared * np.log(np.maximum(squared, 1e-12))
    return values


def project(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Maps points (n, 2) by homographies (..., 3, 3): (..., n, 2)."""
    mapped = np.c_[points, np.ones(len(points))] @ np.swapaxes(homography, -1, -2)
    result: np.ndarray = mapped[..., :2] / mapped[..., 2:]
    return result


def corners(height: float, width: float) -> np.ndarray:
    """The corners (x, y) of an image, float64 (4, 2)."""
    return np.array([[0.0, 0.0], [width - 1.0, 0.0], [0.0, height - 1.0], [width - 1.0, height - 1.0]])


def keep_inside(camera: np.ndarray, size: int, height: int, width: int, slack: float = 0.04) -> np.ndarray:
    """Shrinks and shifts views (T, 3, 3) that look past the edge by more than ``slack`` of the image."""
    view = project(camera, corners(size, size))  # (T, 4, 2)
    low, high = view.min(1), view.max(1)
    extent = np.array([width - 1.0, height - 1.0])
    margin = slack * extent
    centre = (low + high) / 2
    factor = np.minimum(1.0, ((extent + 2 * margin) / (high - low)).min(1, keepdims=True))  # (T, 1)
    low, high = centre + (low - centre) * factor, centre + (high - centre) * factor
    shift = np.maximum(-margin - low, 0.0) - np.maximum(high - extent - margin, 0.0)
    offset = shift + centre * (1.0 - factor)
    zoom = [np.diag([f, f, 1.0]) for f in factor[:, 0]]
    return np.stack([translation(*offset[t]) @ zoom[t] @ camera[t] for t in range(len(camera))])
