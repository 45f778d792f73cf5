"""How fast is boundary accuracy F, compared with the obvious way of dilating whole outlines by a disk?

    python benchmarks/metrics_speed.py                                      # synthetic masks, 480x854
    python benchmarks/metrics_speed.py --truth DIR --prediction DIR         # pairs of indexed PNG masks

The median and the spread (10th to 90th percentile) of milliseconds for one object in one frame are printed, after a
warm-up, with one thread. All ways are checked to give the same number.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.evaluation.metrics import boundary_accuracy, boundary_radius

Mask = NDArray[np.bool_]
Way = Callable[[Mask, Mask], float]


def outline(mask: Mask) -> Mask:
    grown = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    here = grown[:-1, :-1]
    return (here != grown[:-1, 1:]) | (here != grown[1:, :-1]) | (here != grown[1:, 1:])


def disk(radius: int) -> Mask:
    rows, columns = np.indices((2 * radius + 1, 2 * radius + 1)) - radius
    found: Mask = rows**2 + columns**2 <= radius**2
    return found


def obvious(truth: Mask, prediction: Mask, dilate: Callable[[Mask, Mask], Any]) -> float:
    """The definition, word for word: outlines of the whole frame, both dilated by a disk."""
    element = disk(boundary_radius(truth.shape))
    a, b = outline(truth), outline(prediction)
    if not a.any() or not b.any():
        return float(a.any() == b.any())
    recall = np.sum(a & dilate(b, element)) / a.sum()
    precision = np.sum(b & dilate(a, element)) / b.sum()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def with_opencv(truth: Mask, prediction: Mask) -> float:
    return obvious(
        truth, prediction, lambda m, e: cv2.dilate(m.astype(np.uint8), e.astype(np.uint8)).astype(bool)
    )


def with_scikit_image(truth: Mask, prediction: Mask) -> float:
    from skimage.morphology import dilation

    return obvious(
        truth, prediction, lambda m, e: dilation(m.astype(np.uint8), e.astype(np.uint8)).astype(bool)
    )


def made_up_pairs(count: int, size: tuple[int, int] = (480, 854)) -> list[tuple[Mask, Mask]]:
    """Wobbly blobs of a few up to forty percent of the frame, and the same a little displaced."""
    rng, pairs = np.random.default_rng(0), []
    rows, columns = np.indices(size)
    for _ in range(count):
        y, x = rng.uniform(0.2, 0.8, 2) * size
        radius = rng.uniform(25, 200)
        angle = np.arctan2(rows - y, columns - x)
        edge = radius * (1 + 0.2 * np.sin(rng.integers(3, 9) * angle))
        truth = np.hypot(rows - y, columns - x) < edge
        moved = np.roll(truth, tuple(rng.integers(-12, 13, 2)), (0, 1))
        pairs.append((truth, moved))
    return pairs


def pairs_of(truth: Path, prediction: Path) -> list[tuple[Mask, Mask]]:
    """One pair for every object of every mask that both folders hold."""
    pairs = []
    for path in sorted(truth.rglob("*.png")):
        other = prediction / path.relative_to(truth)
        if other.is_file():
            a, b = np.asarray(Image.open(path)), np.asarray(Image.open(other))
            pairs += [(a == number, b == number) for number in np.unique(a[a > 0])]
    return pairs


def times(way: Way, pairs: list[tuple[Mask, Mask]], rounds: int) -> NDArray[np.float64]:
    """Milliseconds of each call after one warm-up round."""
    taken = []
    for turn in range(rounds + 1):
        for pair in pairs:
            start = time.perf_counter()
            way(*pair)
            if turn:
                taken.append((time.perf_counter() - start) * 1e3)
    return np.array(taken)


def ways() -> dict[str, Way]:
    found: dict[str, Way] = {"limpet": boundary_accuracy, "whole frame, cv2.dilate": with_opencv}
    try:
        import skimage  # noqa: F401
    except ImportError:
        print("(scikit-image is not installed: its row is left out)")
    else:
        found["whole frame, skimage"] = with_scikit_image
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--truth", type=Path, help="folder of indexed PNG masks")
    parser.add_argument("--prediction", type=Path, help="folder with the same file names")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.truth and arguments.prediction:
        pairs = pairs_of(arguments.truth, arguments.prediction)
    else:
        pairs = made_up_pairs(24)
    if not pairs:
        parser.error("no mask lies under both folders")
    print(f"{platform.machine()}, {os.cpu_count()} cores, OpenCV {cv2.__version__}, NumPy {np.__version__}")
    print(f"{len(pairs)} pairs of {'x'.join(map(str, pairs[0][0].shape))}, {arguments.rounds} rounds\n")
    ours = [boundary_accuracy(*pair) for pair in pairs]
    base = 0.0
    for name, way in ways().items():
        worst = max(abs(way(*pair) - value) for pair, value in zip(pairs, ours, strict=True))
        taken = times(way, pairs, arguments.rounds)
        low, median, high = np.percentile(taken, [10, 50, 90])
        base = base or median
        spread = f"({low:.3f} to {high:.3f})"
        print(f"{name:24} {median:8.3f} ms  {spread:22} {median / base:6.1f} x  differs by {worst:.0e}")


if __name__ == "__main__":
    main()
