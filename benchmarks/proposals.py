"""How good are the objects that are proposed when no first mask is given?

    python benchmarks/proposals.py DATA/davis2016:fit

For each video of a split in DAVIS layout the proposal for its first frame, from that frame and the next, is compared
with the first mask: IoU of everything proposed with everything labelled, at the frame's size. Each row is one way to
propose: the score (motion, colour, or both), its outline (Otsu's threshold, or GrabCut from there), and whether nothing
may be proposed, which counts as 0 in the first figures and not at all in the last two.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np
from machine import begin

from limpet.core.masks import read_annotation
from limpet.data.footage import FootageClip, find_footage
from limpet.distillation.proposals import (
    DEFAULT,
    above_otsu,
    colour,
    combined,
    motion,
    numbered,
    outlined,
    propose,
    scaled,
    shrunk,
)
from limpet.video.image_reader import folder_images, read_image

Way = Callable[[np.ndarray, np.ndarray], np.ndarray]


def way(score: Callable[[np.ndarray, np.ndarray], np.ndarray], outline: bool) -> Way:
    def run(frame: np.ndarray, later: np.ndarray) -> np.ndarray:
        small, next_small = shrunk(frame, DEFAULT.side), shrunk(later, DEFAULT.side)
        values = score(small, next_small)
        found = numbered(outlined(small, values) if outline else above_otsu(values), values)
        return cv2.resize(found, frame.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)

    return run


def by_motion(small: np.ndarray, later: np.ndarray) -> np.ndarray:
    return scaled(motion(small, later))


def by_colour(small: np.ndarray, later: np.ndarray) -> np.ndarray:
    return colour(small)


def by_both(small: np.ndarray, later: np.ndarray) -> np.ndarray:
    return combined(motion(small, later), colour(small))


WAYS: dict[str, Way] = {
    "colour, Otsu": way(by_colour, outline=False),
    "colour, GrabCut": way(by_colour, outline=True),
    "motion, Otsu": way(by_motion, outline=False),
    "motion, GrabCut": way(by_motion, outline=True),
    "both, Otsu": way(by_both, outline=False),
    "both, GrabCut": way(by_both, outline=True),
    "both, GrabCut, may refuse (used)": propose,
}


def iou(found: np.ndarray, true: np.ndarray) -> float:
    return float((found & true).sum() / max((found | true).sum(), 1))


def measure(clip: FootageClip, ways: dict[str, Way]) -> dict[str, float | None]:
    """IoU for each way, None where nothing is proposed."""
    assert clip.first_mask is not None, f"{clip.name} has no first mask"
    frame, later = (read_image(path) for path in folder_images(clip.source)[:2])
    true = read_annotation(clip.first_mask) > 0
    found = {name: run(frame, later) > 0 for name, run in ways.items()}
    return {name: iou(mask, true) if mask.any() else None for name, mask in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("split", help="ROOT:SPLIT")
    begin_at, options = time.process_time(), parser.parse_args()
    begin(threads=1)
    rows = {}
    for clip in find_footage(options.split).clips:
        rows[clip.name] = measure(clip, WAYS)
        print(
            f"{clip.name:18}",
            *(" none" if v is None else f"{v:5.2f}" for v in rows[clip.name].values()),
            flush=True,
        )
    print(f"\n| {'way':32} | mean IoU | > 0.5 | proposed | mean of those | > 0.5 of those |")
    print(f"|{'-' * 34}|---|---|---|---|---|")
    for name in WAYS:
        values = [row[name] for row in rows.values()]
        all_of_them = np.array([value or 0.0 for value in values])
        there = np.array([value for value in values if value is not None])
        print(
            f"| {name:32} | {all_of_them.mean():.3f} | {(all_of_them > 0.5).mean():.0%} | {len(there)} of "
            f"{len(values)} | {there.mean():.3f} | {(there > 0.5).mean():.0%} |"
        )
    print(f"\n{time.process_time() - begin_at:.0f} s of CPU for all ways")


if __name__ == "__main__":
    main()
