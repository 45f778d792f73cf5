"""Does a network recover from a wrong mask in its memory?

    python benchmarks/error_recovery.py                                  # the weights that ship, on the demo clip
    python benchmarks/error_recovery.py --weights runs/mine/weights.safetensors

Every eighth frame of the demo clip is memorised with its true masks, with one object missing, or with the label of
another object in its place; the long-term memory holds the first frame alone, with correct masks. The mean IoU of that
object in the next frame shows how far one step recovers from the error.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import mean

import numpy as np
from machine import begin
from numpy.typing import NDArray

import limpet
from limpet.demo.demo_clip import OBJECT_NAMES, demo_masks, demo_video
from limpet.evaluation.metrics import region_similarity
from limpet.state import TrackerState
from limpet.tracking.tracker import Tracker
from limpet.video.open import open_video

EVERY = 8
KINDS = ("true", "missing", "given to another")


def mistaken(mask: NDArray[np.uint8], number: int, kind: str) -> NDArray[np.uint8]:
    """The mask (H, W) with an error in one object; every id keeps a pixel, so that it has its slot."""
    other = number % len(OBJECT_NAMES) + 1
    heir = {"true": number, "missing": 0, "given to another": other}[kind]
    wrong = np.where(mask == number, np.uint8(heir), mask)
    for present in OBJECT_NAMES:
        if not (wrong == present).any():
            wrong[0, present] = present
    return wrong


def step_from(
    tracker: Tracker,
    first: TrackerState,
    frame: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    following: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """The mask of ``following`` when ``mask`` is memorised for the frame before, and ``first`` for the first frame."""
    before = tracker.start(frame, mask)
    groups = tuple(
        replace(group, long_term=reference.long_term, frames=reference.frames)
        for group, reference in zip(before.groups, first.groups, strict=True)
    )
    found, _ = tracker.step(following, replace(before, groups=groups))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=None)
    parser.add_argument("--weights", type=Path, default=None)
    parser.add_argument("--enlarge", type=float, default=1.67)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    begin(options.threads)
    truth = demo_masks()
    with open_video(demo_video()) as video:
        frames = [frame.image for frame in video if frame.image is not None]
    tracker = limpet.load(options.model, weights=options.weights, enlarge=options.enlarge)
    first = tracker.start(frames[0], truth[0])
    print(f"{'object':12s}" + "".join(f"{kind:>18s}" for kind in KINDS))
    for number, name in OBJECT_NAMES.items():
        places = range(EVERY, len(truth) - 1, EVERY)
        left: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for t in places:
            for kind in KINDS:
                found = step_from(tracker, first, frames[t], mistaken(truth[t], number, kind), frames[t + 1])
                left[kind].append(region_similarity(truth[t + 1] == number, found == number))
        print(f"{name:12s}" + "".join(f"{100 * mean(values):18.1f}" for values in left.values()))


if __name__ == "__main__":
    main()
