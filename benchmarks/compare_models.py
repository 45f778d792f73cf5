"""Which of two models is faster? They are timed frame by frame in turn, so that other programs slow down both alike.

    python benchmarks/compare_models.py deaot-t deaot-t-deformable
    python benchmarks/compare_models.py deaot-t deaot-t-deformable --precision fp32 --size 720 1280

The weights are random. What is timed is `Tracker.step`, after a warm-up. For each frame the time of the first model is
divided by that of the second; the result is the median of these ratios: above 1 the second model is faster.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from machine import begin

from limpet.bench.bench_clip import synthetic_clip
from limpet.models import build_model
from limpet.registry import find
from limpet.tracking.tracker import Tracker


def main() -> None:
    options = parse()
    machine = begin(options.threads)
    frames, mask = synthetic_clip(options.size, options.objects, options.frames + options.warm_up + 1)
    trackers = [
        Tracker(build_model(find(name).config()), precision=options.precision, max_size=None)
        for name in options.models
    ]
    states = [tracker.start(frames[0], mask) for tracker in trackers]
    seconds = np.zeros((len(frames) - 1, 2))
    for number, frame in enumerate(frames[1:]):
        for which, tracker in enumerate(trackers):
            before = time.perf_counter()
            _, states[which] = tracker.step(frame, states[which])
            seconds[number, which] = time.perf_counter() - before
    kept = 1e3 * seconds[options.warm_up :]
    for name, column in zip(options.models, kept.T, strict=True):
        low, middle, high = np.percentile(column, (25, 50, 75))
        print(f"{name:24} {middle:7.1f} ms per frame (quartiles {low:.1f} to {high:.1f})")
    low, middle, high = np.percentile(kept[:, 0] / kept[:, 1], (25, 50, 75))
    print(f"{options.models[1]} is {middle:.2f} times as fast (quartiles {low:.2f} to {high:.2f})")
    if options.json:
        facts = {"machine": machine, "options": vars(options) | {"json": str(options.json)}, "ratio": middle}
        options.json.write_text(json.dumps(facts | {"milliseconds": kept.tolist()}) + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs=2, metavar="MODEL")
    parser.add_argument("--size", type=int, nargs=2, default=(480, 854), metavar=("H", "W"))
    parser.add_argument("--objects", type=int, default=3)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
