"""How many masks of a full HD frame are encoded and decoded in a second, beside pycocotools?

    python benchmarks/rle_speed.py

Wobbly blobs of a few up to forty per cent of 1080x1920, one thread; the median of the rounds after a warm-up, in
seconds of the processor, so that other programs do not count. All ways are checked to give the same strings.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.exchange.coco_rle import compress, counts_to_mask, decompress, label_counts, mask_counts

SIZE = (1080, 1920)
MASKS, ROUNDS = 24, 5


def blobs(count: int) -> list[NDArray[np.bool_]]:
    rng, found = np.random.default_rng(0), []
    rows, columns = np.indices(SIZE)
    for _ in range(count):
        y, x = rng.uniform(0.2, 0.8, 2) * SIZE
        edge = rng.uniform(60, 450) * (
            1 + 0.2 * np.sin(rng.integers(3, 9) * np.arctan2(rows - y, columns - x))
        )
        found.append(np.hypot(rows - y, columns - x) < edge)
    return found


def per_second(way: Callable[[], object], count: int) -> float:
    times = []
    for _ in range(ROUNDS + 1):
        begin = time.process_time()
        way()
        times.append(time.process_time() - begin)
    return count / float(np.median(times[1:]))


def main() -> None:
    cv2.setNumThreads(1)
    masks = blobs(MASKS)
    labels = np.zeros(SIZE, np.uint8)
    for number, mask in enumerate(masks, start=1):
        labels[mask] = number
    shown = len(label_counts(labels))
    texts = [compress(mask_counts(mask)) for mask in masks]
    pixels = SIZE[0] * SIZE[1]
    rows = {
        "limpet, encode one mask": (lambda: [compress(mask_counts(m)) for m in masks], MASKS),
        "limpet, encode a label map": (lambda: [compress(c) for c in label_counts(labels).values()], shown),
        "limpet, decode": (lambda: [counts_to_mask(decompress(t, pixels), SIZE) for t in texts], MASKS),
    }
    try:
        from pycocotools import mask as oracle
    except ImportError:
        print("(pycocotools is not installed: its rows are left out)")
    else:
        theirs = [oracle.encode(np.asfortranarray(mask, np.uint8)) for mask in masks]
        assert [rle["counts"].decode() for rle in theirs] == texts
        rows["pycocotools, encode"] = (
            lambda: [oracle.encode(np.asfortranarray(m, np.uint8)) for m in masks],
            MASKS,
        )
        rows["pycocotools, decode"] = (lambda: [oracle.decode(rle) for rle in theirs], MASKS)
    for name, (way, count) in rows.items():
        print(f"{name:28} {per_second(way, count):8.0f} masks/s")


if __name__ == "__main__":
    main()
