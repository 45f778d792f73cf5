"""How many frames per second are tracked when several videos share one batch?

    python benchmarks/many_videos.py --device cuda --videos 1 16 --objects 10 --compiled
    python benchmarks/many_videos.py --size 240 427 --videos 1 4 --objects 3

One row for each number of videos: frames per second of all together, milliseconds per step (median and quartiles), and
the peak memory of the device. The weights are random: they make no difference to the speed.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from machine import begin

from limpet.models import build_model
from limpet.registry import find
from limpet.tracking.batched_tracker import BatchedTracker


def measure(options: argparse.Namespace, videos: int) -> str:
    height, width = options.size
    chance = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (4, videos, height, width, 3), dtype=torch.uint8, generator=chance)
    frames = frames.to(options.device)
    masks = torch.zeros(videos, height, width, dtype=torch.uint8)
    for index in range(options.objects):
        left = index * width // options.objects
        masks[:, height // 4 : 3 * height // 4, left : left + width // (2 * options.objects)] = index + 1
    torch.manual_seed(0)
    tracker = BatchedTracker(
        build_model(find(options.model).config()), (height, width), videos, options.device,
        objects=options.objects, compiled=options.compiled,
    )  # fmt: skip
    tracker.start(frames[0], masks)
    wait = torch.cuda.synchronize if options.device.startswith("cuda") else lambda: None
    times = []
    for index in range(options.warm_up + options.frames):
        wait()
        before = time.perf_counter()
        tracker.step(frames[index % len(frames)])
        wait()
        times.append(1e3 * (time.perf_counter() - before))
    low, middle, high = np.percentile(times[options.warm_up :], [25, 50, 75])
    memory = (
        f", {torch.cuda.max_memory_allocated() / 1e6:.0f} MB" if options.device.startswith("cuda") else ""
    )
    rate = 1e3 * videos / middle
    return (
        f"{videos:3d} videos: {rate:8.1f} frames/s, {middle:.2f} ms ({low:.2f}-{high:.2f}) per step{memory}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="deaot-t")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, nargs=2, default=[480, 854])
    parser.add_argument("--objects", type=int, default=10)
    parser.add_argument("--videos", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    begin(options.threads)
    for videos in options.videos:
        print(measure(options, videos), flush=True)


if __name__ == "__main__":
    main()
