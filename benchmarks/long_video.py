"""Do memory and time per frame of a tracker with a long-term memory stay constant, however long the video is?

    python benchmarks/long_video.py                                             # deaot-l, bounded, 20,000 frames
    python benchmarks/long_video.py --frames 2000 --size 129 225 --threads 1
    python benchmarks/long_video.py --memory official --frames 500              # grows without a bound

A synthetic clip is tracked again and again. Resident memory and the mean time of a step are printed for each twentieth
of the frames. At the end follow the growth of memory per 1,000 frames (without the first tenth, in which buffers are
made and the long-term memory fills), the times of the first and the last 1,000 frames, the budget, and what was held.
On a busy machine compare CPU times, not the clock. The weights are random unless --weights names some; they change
which frames are kept, not how many.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import begin

from limpet.bench.bench_clip import synthetic_clip
from limpet.bench.machine import resident_mb
from limpet.models import build_model
from limpet.registry import find
from limpet.tracking.load import load
from limpet.tracking.memory_policies import budget_bytes, find_policy
from limpet.tracking.tracker import Tracker

PARTS = 20  # lines of the table


def make_tracker(options: argparse.Namespace) -> Tracker:
    settings = {"device": options.device, "max_size": None, "precision": options.precision}
    if options.weights != "random":
        weights = None if options.weights == "bundled" else options.weights
        return load(
            options.model, weights=weights, memory=options.memory, memory_budget_mb=options.budget, **settings
        )
    torch.manual_seed(0)
    config = find(options.model).config()
    model = build_model(config)
    with torch.no_grad():  # else plain random weights see the same everywhere, and no frame is worth keeping
        model.decoder.conv_out.weight.mul_(30)
    policy = find_policy(options.memory, config, budget_bytes(options.budget))
    return Tracker(model, memory=policy, **settings)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """A row for each part of the video: frames so far, RSS in MB, ms per frame by the clock and of CPU, bytes held."""
    clip, mask = synthetic_clip(tuple(options.size), options.objects, 64)
    tracker = make_tracker(options)
    state = tracker.start(clip[0], mask)
    rows, most, part = [], 0, max(1, options.frames // PARTS)
    times = np.zeros((options.frames, 2))
    for index in range(1, options.frames + 1):
        before = np.array([time.perf_counter(), time.process_time()])
        _, state = tracker.step(clip[index % len(clip)], state)
        times[index - 1] = 1e3 * (np.array([time.perf_counter(), time.process_time()]) - before)
        most = max(most, state.nbytes)
        if index % part == 0:
            rows.append([index, resident_mb(), *times[index - part : index].mean(axis=0), state.nbytes / 1e6])
            print(
                "{:8d} frames  {:8.1f} MB  {:7.1f} ms  CPU {:7.1f} ms  state {:7.1f} MB".format(*rows[-1]),
                flush=True,
            )
    span = min(1000, options.frames // 4)
    return {
        "policy": str(tracker.memory),
        "rows": rows,
        "span": span,
        "first_ms": times[:span].mean(axis=0).tolist(),
        "last_ms": times[-span:].mean(axis=0).tolist(),
        "most_held_mb": most / 1e6,
        "kept": [[frame.index for frame in group.frames] for group in state.groups],
    }


def summary(result: dict[str, Any], budget: float | None) -> str:
    """Growth and times in words; the first tenth of the rows counts for times only."""
    rows = np.array(result["rows"])
    settled = rows[len(rows) // 10 - 1 :]
    growth = np.polyfit(settled[:, 0], settled[:, 1], 1)[0] * 1000 if len(settled) > 1 else float("nan")
    (first, first_cpu), (last, last_cpu) = result["first_ms"], result["last_ms"]
    lines = [
        f"{result['policy']}",
        f"RSS grows by {growth:.2f} MB per 1,000 frames (line through {len(settled)} rows)",
        f"ms per frame: {first:.1f} in the first {result['span']} frames, {last:.1f} in the last; "
        f"CPU {first_cpu:.1f} and {last_cpu:.1f} ({100 * (last_cpu / first_cpu - 1):+.1f} %)",
        f"most held between frames: {result['most_held_mb']:.2f} MB"
        + (f" of {budget:g} MB" if budget else ""),
        f"frames kept: {'; '.join(', '.join(map(str, group[::-1])) for group in result['kept'])}",
    ]
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 854), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--objects", type=int, default=3)
    parser.add_argument("--model", default="deaot-l")
    parser.add_argument("--memory", default="bounded", help="the name of a policy")
    parser.add_argument("--budget", type=float, metavar="MB", help="limit on the memory held between frames")
    parser.add_argument("--weights", default="random", help='"random", "bundled" or a file')
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write all figures to this file as well")
    options = parser.parse_args()
    if options.frames < PARTS:
        parser.error(
            f"--frames is {options.frames}; at least {PARTS} are needed, one for each line of the table"
        )
    return options


def main() -> None:
    options = parse()
    machine = begin(options.threads)
    result = measure(options)
    print(f"\n{summary(result, options.budget)}")
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "result": result}, indent=2) + "\n")


if __name__ == "__main__":
    main()
