"""J and F word for word as they are defined: slow, obvious, the yardstick of the fast ones."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def slow_region_similarity(truth: Mask, prediction: Mask) -> float:
    both = either = 0
    for a, b in zip(truth.ravel(), prediction.ravel(), strict=True):
        both += bool(a and b)
        either += bool(a or b)
    return both / either if either else 1.0


def slow_boundary(mask: Mask) -> list[tuple[int, int]]:
    """(row, column) of every pixel that differs from its right, lower or lower-right neighbour.

    In the last row only the right, in the last column only the lower neighbour counts.
    """
    height, width = mask.shape
    found = []
    for y in range(height):
        for x in range(width):
            around = [
                (min(y + dy, height - 1), min(x + dx, width - 1)) for dy, dx in ((0, 1), (1, 0), (1, 1))
            ]
            if any(mask[y, x] != mask[at] for at in around):
                found.append((y, x))
    return found


def slow_boundary_accuracy(truth: Mask, prediction: Mask, tolerance: float = 0.008) -> float:
    radius = tolerance if tolerance >= 1 else math.ceil(tolerance * math.hypot(*truth.shape))
    a, b = slow_boundary(truth), slow_boundary(prediction)
    if not a or not b:
        return 1.0 if not a and not b else 0.0
    recall = sum(_near(point, b, radius) for point in a) / len(a)
    precision = sum(_near(point, a, radius) for point in b) / len(b)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _near(point: tuple[int, int], outline: list[tuple[int, int]], radius: float) -> bool:
    return any((point[0] - y) ** 2 + (point[1] - x) ** 2 <= radius**2 for y, x in outline)
