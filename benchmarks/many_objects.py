"""How does the time of a step grow with the number of objects? The encoder runs once, the rest once for each ten.

    python benchmarks/many_objects.py                                  # deaot-t, 480x854, up to 64 objects
    python benchmarks/many_objects.py --json many.json --figure docs/pictures/many_objects.png

Prints the median time of a step and of its encoder for each number of objects, and checks the growth against a
straight line through the groups of ten. Random weights.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib
import numpy as np
from machine import begin

from limpet.bench.bench_clip import synthetic_clip
from limpet.bench.stages import StageTimer, seconds
from limpet.bench.torch_target import timed
from limpet.models import build_model
from limpet.registry import find
from limpet.tracking.tracker import Tracker

WARM_UP = 3


def measure(tracker: Tracker, size: tuple[int, int], objects: int, frames: int) -> tuple[float, float]:
    """Median milliseconds of a step, and of the encoder in it."""
    clip, mask = synthetic_clip(size, objects, frames + WARM_UP + 1)
    state, steps, timer = tracker.start(clip[0], mask), [], StageTimer(seconds)
    with timed(tracker, timer) as timed_tracker:
        for frame in clip[1:]:
            with timer.stage("rest"):
                _, state = timed_tracker.step(frame, state)
            spent = timer.take()
            steps.append((sum(share[0] for share in spent.values()), spent["encoder"][0]))
    assert len(state.object_ids) == objects, "a disc is hidden behind others; make the frames larger"
    step, encoder = 1e3 * np.median(np.array(steps[WARM_UP:]), axis=0)
    return float(step), float(encoder)


def draw(rows: list[dict[str, float]], path: Path) -> None:
    """Bars of the encoder's time and the rest over the number of objects."""
    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(6, 3.2), layout="constrained")
    names = [str(int(row["objects"])) for row in rows]
    encoder = [row["encoder"] for row in rows]
    axis.bar(names, encoder, label="encoder, once a frame", color="#4477aa")
    axis.bar(
        names,
        [row["step"] - row["encoder"] for row in rows],
        bottom=encoder,
        label="the rest",
        color="#ee9944",
    )
    axis.set(xlabel="objects", ylabel="ms per frame")
    axis.legend(frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="deaot-t")
    parser.add_argument("--size", type=int, nargs=2, default=(480, 854), metavar=("H", "W"))
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 10, 11, 20, 30, 40, 50, 64])
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    machine = begin(options.threads)
    tracker = Tracker(build_model(find(options.model).config()), precision=options.precision, max_size=None)
    rows: list[dict[str, float]] = []
    for objects in options.objects:
        step, encoder = measure(tracker, tuple(options.size), objects, options.frames)
        rows.append({"objects": objects, "groups": -(-objects // 10), "step": step, "encoder": encoder})
        print(f"{objects:4d} objects  {step:8.1f} ms per frame, encoder {encoder:6.1f} ms", flush=True)
    one = next(row for row in rows if row["groups"] == 1)
    for row in rows:
        linear = one["encoder"] + row["groups"] * (one["step"] - one["encoder"])
        print(f"{int(row['objects']):4d} objects: {row['step'] / linear:.2f} of linear growth in groups")
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "model": options.model, "rows": rows}) + "\n")
    if options.figure:
        draw(rows, options.figure)


if __name__ == "__main__":
    main()
