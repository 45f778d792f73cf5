"""Is a step as fast as before? Two checkouts of limpet are timed in turn, with the same weights and frames.

    git worktree add /tmp/before COMMIT
    python benchmarks/step_speed_pairs.py /tmp/before .
    python benchmarks/step_speed_pairs.py /tmp/before . --models deaot-l --objects 1

Each checkout runs in a process of its own. The two processes take turns of a few steps each, and the order changes
from turn to turn, so that whatever else the machine does affects both alike. For each pair of turns the time of the
second checkout is divided by that of the first. The result is the median of these ratios with its quartiles: above 1
the second checkout is slower. CPU time is compared in the same way; it is the safer figure on a busy machine. The
masks of the two are compared as well.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from turn_process import TurnProcess


@dataclass(frozen=True)
class StepSpeed:
    """What is timed, the same in both checkouts. size: (H, W) of the frames in pixels."""

    model: str
    weights: str
    size: tuple[int, int]
    objects: int
    precision: str
    device: str
    threads: int


class Worker(TurnProcess):
    """A checkout of limpet in a process of its own, which steps on request and sleeps meanwhile."""

    def __init__(self, tree: Path, what: StepSpeed) -> None:
        self.tree = tree.resolve()
        command = [sys.executable, __file__, "--worker", json.dumps(asdict(what))]
        super().__init__(
            f"the process for {self.tree}", command, what.threads, {"PYTHONPATH": str(self.tree)}, self.tree
        )
        found = Path(self.answer()["limpet"])
        if self.tree not in found.parents:
            raise SystemExit(f"the process for {self.tree} has imported {found}; is there a limpet/ in it?")

    def steps(self, count: int) -> dict[str, Any]:
        """Run ``count`` steps: "seconds" and "cpu" of one on the average, and the "masks" as a hash."""
        return self.ask(count)


def work(what: StepSpeed) -> None:
    """The worker's side. Only what every version of limpet has is used: ``load``, ``start`` and ``step``."""
    answers, sys.stdout = sys.stdout, sys.stderr
    import cv2
    import torch

    import limpet

    torch.set_num_threads(what.threads)
    cv2.setNumThreads(what.threads)
    tracker = limpet.load(
        what.model,
        weights=what.weights,
        device=what.device,
        precision=what.precision,  # type: ignore[arg-type]
    )
    frames, mask = moving_boxes(what.size, what.objects)
    state, done = tracker.start(frames[0], mask), 0
    print(json.dumps({"limpet": limpet.__file__}), file=answers, flush=True)
    for line in sys.stdin:
        masks = hashlib.sha256()
        count, before, cpu = int(line), time.perf_counter(), time.process_time()
        for _ in range(count):
            done += 1
            mask, state = tracker.step(frames[done % len(frames)], state)
            masks.update(mask.tobytes())  # the mask is in main memory: a GPU has come to its end
        spent = {"seconds": time.perf_counter() - before, "cpu": time.process_time() - cpu}
        answer = {name: value / count for name, value in spent.items()} | {"masks": masks.hexdigest()}
        print(json.dumps(answer), file=answers, flush=True)


def moving_boxes(
    size: tuple[int, int], objects: int, count: int = 16
) -> tuple[list[NDArray[np.uint8]], NDArray[np.uint8]]:
    """Frames (H, W, 3) of noise with a moving box for each object, and the mask (H, W) of the first frame."""
    height, width = size
    chance = np.random.default_rng(0)
    background = chance.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    background = np.kron(background, np.ones((9, 9, 1), np.uint8))[:height, :width]
    frames, mask = [], np.zeros(size, np.uint8)
    side = width // (2 * objects + 1)
    for index in range(count):
        frame = background.copy()
        for number in range(1, objects + 1):
            left = (2 * number - 1) * side + round(side / 2 * np.sin(2 * np.pi * index / count))
            box = slice(height // 4, 3 * height // 4), slice(left, left + side)
            frame[box] = (255 * number // objects, 80, 255 - 200 * number // objects)
            if index == 0:
                mask[box] = number
        frames.append(frame)
    return frames, mask


def compare(trees: tuple[Path, Path], what: StepSpeed, options: argparse.Namespace) -> dict[str, Any]:
    """Time both checkouts in turn, and print the result."""
    turns: list[tuple[dict[str, Any], dict[str, Any]]] = []
    with Worker(trees[0], what) as first, Worker(trees[1], what) as second:
        for worker in (first, second):
            worker.steps(options.warm_up)
        for number in range(options.pairs):
            if number % 2:
                later, earlier = second.steps(options.steps), first.steps(options.steps)
            else:
                earlier, later = first.steps(options.steps), second.steps(options.steps)
            turns.append((earlier, later))
    found: dict[str, Any] = {"what": asdict(what)}
    print(f"{what.model}, {what.size[0]}x{what.size[1]}, {what.objects} objects, {what.precision}:")
    for name, title in (("seconds", "time"), ("cpu", "CPU time")):
        table = np.array([[turn[name] for turn in pair] for pair in turns])
        low, middle, high = np.percentile(table[:, 1] / table[:, 0], (25, 50, 75))
        medians = 1e3 * np.median(table, axis=0)
        print(
            f"    {title:8} {medians[0]:7.1f} ms before, {medians[1]:7.1f} ms after; "
            f"ratio {middle:.3f} (quartiles {low:.3f} to {high:.3f}, {len(turns)} pairs)"
        )
        found[name] = {"pairs": table.tolist(), "ratio": middle, "quartile_1": low, "quartile_3": high}
    found["equal_masks"] = all(a["masks"] == b["masks"] for a, b in turns)
    print(f"    masks are {'equal' if found['equal_masks'] else 'NOT equal'}", flush=True)
    return found


def weights_of(model: str, tree: Path) -> str:
    """The model's weights in the checkout ``tree``; both checkouts read this one file."""
    for folder in ("limpet/weights/bundled", "release"):  # the latter: deaot-l in older checkouts
        path = tree.resolve() / folder / f"{model}.safetensors"
        if path.is_file():
            return str(path)
    raise SystemExit(f"{tree} holds no weights of {model}; name a file with --weights")


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        return work(StepSpeed(**json.loads(sys.argv[2])))
    options = parse()
    if options.weights and len(options.models) > 1:
        raise SystemExit("--weights is one file, and there are several --models; name one model")
    found = []
    for model in options.models:
        weights = str(options.weights.resolve()) if options.weights else weights_of(model, options.before)
        what = StepSpeed(
            model, weights, tuple(options.size), options.objects, options.precision, options.device, options.threads
        )  # fmt: skip
        found.append(compare((options.before, options.after), what, options))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="a checkout of limpet")
    parser.add_argument("after", type=Path, help="the checkout to compare with it")
    parser.add_argument("--models", nargs="+", default=["deaot-t-deformable", "deaot-l"], metavar="NAME")
    parser.add_argument("--weights", type=Path, help="default: the file in BEFORE")
    parser.add_argument("--size", type=int, nargs=2, default=(480, 854), metavar=("H", "W"))
    parser.add_argument("--objects", type=int, default=3)
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=20, help="turns of each checkout")
    parser.add_argument("--steps", type=int, default=3, help="steps of a turn")
    parser.add_argument("--warm-up", type=int, default=3, help="steps before the first turn")
    parser.add_argument("--json", type=Path, help="write all figures there too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
