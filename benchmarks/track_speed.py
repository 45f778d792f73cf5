"""How fast is a tracker, how much memory does it take, and which stage takes the time?

    python benchmarks/track_speed.py                                   # deaot-t, 480x854, 3 objects, 2 threads
    python benchmarks/track_speed.py --precision fp32 --threads 1
    python benchmarks/track_speed.py --model deaot-l --objects 10 --size 720 1280 --json speed.json

The weights are random unless --weights names some ("bundled" or a file): they make no difference to the speed.
Times are of `Tracker.step` alone, without reading the video or writing masks, after a warm-up. On a busy machine
the clock says little. CPU time does: of all threads together, and of the main thread, which takes part in all work,
so that an idle machine's clock would show a little more than that. Set GOMP_SPINCOUNT=0 for it, or threads that
wait for one another count as computing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from footage import made_up_clip
from machine import begin, peak_mb, resident_mb
from numpy.typing import NDArray

from limpet.models import build_model
from limpet.registry import find
from limpet.tracking import tracker as tracking
from limpet.tracking.load import load
from limpet.tracking.tracker import Tracker

LAYER_PARTS = ("long_term", "short_term", "self_propagation", "self_attention", "feed_forward")

Times = NDArray[np.float64]


def times_now() -> Times:
    """Seconds by the clock, CPU seconds of all threads, CPU seconds of this one."""
    return np.array([time.perf_counter(), time.process_time(), time.thread_time()])


class Stopwatch:
    """Sums up the times spent in some functions, which may call one another."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self.wait = wait
        self.spent: dict[str, Times] = {}

    def watch(self, owner: Any, name: str, stage: str) -> None:
        """Replace ``owner.name`` by the same function with a clock around it."""
        function = getattr(owner, name)
        self.spent.setdefault(stage, np.zeros(3))

        def timed(*args: Any, **kwargs: Any) -> Any:
            self.wait()
            before = times_now()
            result = function(*args, **kwargs)
            self.wait()
            self.spent[stage] += times_now() - before
            return result

        setattr(owner, name, timed)


def watch_stages(tracker: Tracker, watch: Stopwatch) -> None:
    """Put a clock around each stage of a step; indented stages are parts of the one above them."""
    watch.watch(tracking, "prepare_image", "prepare")
    watch.watch(tracker.model, "encode", "encode")
    watch.watch(tracker.model, "propagate", "propagate")
    for layer in tracker.model.layers:
        for part in LAYER_PARTS:
            if hasattr(layer, part):
                watch.watch(getattr(layer, part), "forward", f"  {part}")
    watch.watch(tracker.model, "decode", "decode")
    watch.watch(tracking, "label_map", "labels")
    watch.watch(tracking, "soft_ious", "confidences")
    watch.watch(tracking, "slot_planes", "identify")
    watch.watch(tracker.model, "identify", "identify")
    watch.watch(tracker.model, "remember", "remember")


def make_tracker(options: argparse.Namespace) -> Tracker:
    settings = {"device": options.device, "max_size": options.max_size, "precision": options.precision}
    if options.weights != "random":
        return load(
            options.model, weights=None if options.weights == "bundled" else options.weights, **settings
        )
    torch.manual_seed(0)
    return Tracker(build_model(find(options.model).config()), **settings)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of one run, in ms and MB."""
    clip, mask = made_up_clip(tuple(options.size), options.objects, 16)
    imports_mb = resident_mb()
    tracker = make_tracker(options)
    watch = Stopwatch(torch.cuda.synchronize if tracker.device.type == "cuda" else lambda: None)
    watch_stages(tracker, watch)
    state = tracker.start(clip[0], mask)
    frames = []
    for index in range(options.warm_up + options.frames):
        if index == options.warm_up:
            watch.spent = {stage: np.zeros(3) for stage in watch.spent}
            frames.clear()
        before = times_now()
        _, state = tracker.step(clip[(index + 1) % len(clip)], state)
        watch.wait()
        frames.append(times_now() - before)
    stages = {stage: (spent * 1e3 / options.frames).tolist() for stage, spent in watch.spent.items()}
    return {
        "network_size": state.network_size,
        "precision": str(tracker.model.dtype).removeprefix("torch."),
        **summary(np.array(frames) * 1e3),
        "peak_mb": peak_mb(),
        "peak_mb_above_imports": peak_mb() - imports_mb,
        "state_mb": state.nbytes / 1e6,
        "stages_ms": stages,
    }


def summary(frames: Times) -> dict[str, Any]:
    """Medians of (frames, 3) ms, and the spread by the clock."""
    quarter, median, three_quarters = np.percentile(frames[:, 0], (25, 50, 75)).tolist()
    _, all_threads, main_thread = np.median(frames, axis=0).tolist()
    return {
        "ms": {"quartile_1": quarter, "median": median, "quartile_3": three_quarters},
        "cpu_ms": all_threads,
        "cpu_ms_main_thread": main_thread,
        "frames_per_second": 1e3 / median,
    }


def print_result(result: dict[str, Any], options: argparse.Namespace) -> None:
    height, width = result["network_size"]
    frame = "x".join(map(str, options.size))
    print(
        f"\n{options.model}, {result['precision']}, {options.objects} objects, {frame} (network {height}x{width})"
    )
    ms = result["ms"]
    spread = f"(quartiles {ms['quartile_1']:.1f} to {ms['quartile_3']:.1f})"
    print(
        f"  clock  {ms['median']:8.1f} ms a frame {spread}, {result['frames_per_second']:.2f} frames per second"
    )
    print(f"  CPU    {result['cpu_ms']:8.1f} ms a frame for all threads")
    print(f"         {result['cpu_ms_main_thread']:8.1f} ms a frame for the main one")
    print(f"  memory {result['peak_mb']:8.0f} MB at the peak")
    print(f"         {result['peak_mb_above_imports']:8.0f} MB of it above the interpreter with torch")
    print(f"         {result['state_mb']:8.1f} MB for the state")
    print("  stages, mean ms       clock  CPU, all threads  main thread")
    for stage, spent in result["stages_ms"].items():
        print("    {:18} {:8.1f} {:17.1f} {:12.1f}".format(stage, *spent))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="deaot-t")
    parser.add_argument("--weights", default="random", help='"random", "bundled" or a file')
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--size", type=int, nargs=2, default=(480, 854), metavar=("H", "W"), help="of the frames"
    )
    parser.add_argument("--max-size", type=int, default=480, help="limit on the shorter side for the network")
    parser.add_argument("--objects", type=int, default=3)
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=4)
    parser.add_argument("--json", type=Path, help="write all figures to this file as well")
    return parser.parse_args()


def main() -> None:
    options = parse()
    machine = begin(options.threads)
    result = measure(options)
    print_result(result, options)
    if options.json:
        asked = {name: value for name, value in vars(options).items() if name != "json"}
        report = {"machine": machine, "options": asked, "result": result}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
