"""Where each object and the camera are at every moment of the clip.

Time runs from 0 (first frame) to 1 (last). Places are in frame widths and heights, (0, 0) at the top left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FRAME_SIZE = (288, 512)  # H, W
FRAME_RATE = 24
FRAME_COUNT = 88


@dataclass(frozen=True)
class Pose:
    """x, y: centre of the object. scale: frame pixels per photograph pixel. angle: degrees, clockwise."""

    x: float
    y: float
    scale: float
    angle: float


@dataclass(frozen=True)
class Actor:
    """One object of the clip.

    centre: the point (x, y) of the photograph about which the object turns.
    keys: (time, x, y, scale, angle) rows, times ascending from 0 to 1.
    depths: (time, depth) rows; a depth holds from its time on; the nearest object has the smallest depth.
    wobble: how far the surface ripples, as a fraction of the object's size.
    """

    name: str
    object_id: int
    centre: tuple[float, float]
    keys: tuple[tuple[float, float, float, float, float], ...]
    depths: tuple[tuple[float, float], ...]
    wobble: float

    def pose(self, time: float) -> Pose:
        rows = np.array(self.keys)
        return Pose(*(float(_spline(time, rows[:, 0], rows[:, column])) for column in range(1, 5)))

    def depth(self, time: float) -> float:
        return [depth for start, depth in self.depths if start <= time][-1]


# The cat floats behind the astronaut's head to the other side, meets the cup there, and comes back in front.
# The cup half leaves the frame on the right, comes back before the cat and crosses before the astronaut.
ACTORS = (
    Actor(
        "astronaut",
        1,
        (250, 262),
        (
            (0.0, 0.47, 0.645, 0.500, -3.0),
            (0.3, 0.50, 0.625, 0.510, 1.0),
            (0.6, 0.52, 0.640, 0.520, 4.0),
            (1.0, 0.48, 0.650, 0.530, -2.0),
        ),
        ((0.0, 2.0),),
        0.008,
    ),
    Actor(
        "cat",
        2,
        (205, 195),
        (
            (0.00, 0.135, 0.32, 0.290, -14.0),
            (0.12, 0.20, 0.29, 0.285, -4.0),
            (0.30, 0.50, 0.29, 0.270, 12.0),
            (0.47, 0.82, 0.32, 0.280, 4.0),
            (0.60, 0.88, 0.42, 0.300, -8.0),
            (0.74, 0.80, 0.62, 0.330, -20.0),
            (0.88, 0.67, 0.66, 0.360, -6.0),
            (1.00, 0.57, 0.69, 0.370, 10.0),
        ),
        ((0.0, 3.0), (0.55, 1.0)),
        0.022,
    ),
    Actor(
        "coffee",
        3,
        (278, 205),
        (
            (0.00, 0.87, 0.33, 0.260, 8.0),
            (0.16, 1.00, 0.42, 0.270, 24.0),
            (0.28, 1.01, 0.55, 0.280, 30.0),
            (0.42, 0.91, 0.53, 0.290, 12.0),
            (0.53, 0.81, 0.44, 0.300, -6.0),
            (0.72, 0.50, 0.72, 0.320, -24.0),
            (0.86, 0.24, 0.60, 0.310, -8.0),
            (1.00, 0.16, 0.42, 0.300, 12.0),
        ),
        ((0.0, 0.0),),
        0.014,
    ),
)


def camera_window(time: float, photograph_size: tuple[int, int]) -> tuple[float, float, float]:
    """What the camera sees of the background, a slow pan and zoom: left, top and width in its pixels.

    photograph_size: (H, W).
    """
    H, W = photograph_size
    frame_height, frame_width = FRAME_SIZE
    width = W * (0.80 - 0.08 * time)
    height = width * frame_height / frame_width
    left = (W - width) * (0.15 + 0.65 * _ease(time))
    top = (H - height) * (0.95 - 0.35 * _ease(time))
    return left, top, width


def _ease(time: float) -> float:
    return time * time * (3 - 2 * time)


def _spline(time: float, times: np.ndarray, values: np.ndarray) -> float:
    """A smooth curve through the keys: cubic Hermite, central differences, at rest at the ends."""
    slopes = np.zeros_like(values)
    slopes[1:-1] = (values[2:] - values[:-2]) / (times[2:] - times[:-2])
    piece = int(np.clip(np.searchsorted(times, time, "right") - 1, 0, len(times) - 2))
    length = times[piece + 1] - times[piece]
    s = (time - times[piece]) / length
    start = values[piece] * (1 + 2 * s) + slopes[piece] * length * s
    end = values[piece + 1] * (3 - 2 * s) + slopes[piece + 1] * length * (s - 1)
    return float(start * (1 - s) ** 2 + end * s**2)
