"""Prints the score of weights: J&F of 13 sequences of DAVIS-2016, and of two clips with several objects.

    python benchmarks/score.py --data DATA                                     # the default model, as it ships
    python benchmarks/score.py --data DATA --weights A.safetensors B.safetensors --memory first bounded:5:2
    python benchmarks/score.py --data DATA --every 3 --max-size 240 --jobs 2   # quick: good for comparing only

DATA holds davis2016/, whose ImageSets/score.txt names the 13 sequences, and dev.txt and hard.txt its two parts; and
multi_object/ with schoolgirls (7 objects) and penguins (5 objects that look alike). None of them may be trained on.

"score" is the mean of J&F over the 13 sequences, "several" the mean over the two clips. A memory policy is
written NAME, NAME:GAP or NAME:GAP:FRAMES: with bounded:5:2 every 5th frame is offered to the long-term memory, which
keeps 2 of them beside the first frame. With --json each result, which is one weights file with one memory policy, is
appended to a file as one line of JSON that names commit, weights and settings.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import limpet
from limpet.core.errors import LimpetError, ModelError
from limpet.core.provenance import commit
from limpet.data import evaluation_videos
from limpet.evaluation.evaluate_videos import evaluate_tracker
from limpet.models import ModelConfig
from limpet.tracking.load import load
from limpet.tracking.memory_policies import MemoryPolicy, find_policy
from limpet.tracking.tracker import Tracker

DAVIS, SEVERAL = "davis2016", "multi_object"
CLIPS_OF_SEVERAL = ("schoolgirls", "penguins")
VIDEO_FRAMES_PER_FRAME = {"penguins": 5}
"""Every 5th frame of this video is in the data; --every counts frames of the video."""


@dataclass(frozen=True)
class ScoreConfig:
    """How a tracker is scored; see the options of the same names."""

    model: str | None
    weights: Path | None
    memory: str | None
    max_size: int
    enlarge: float
    objects_at_once: int | None
    precision: Any
    every: int
    device: str
    threads: int


@dataclass(frozen=True)
class SequenceScore:
    """Per cent, means over the objects of a sequence. frames: how many were scored."""

    name: str
    objects: int
    frames: int
    j_and_f: float
    j: float
    f: float
    frames_per_second: float | None


def score_sequence(config: ScoreConfig, root: Path, name: str) -> SequenceScore:
    """Track and score one sequence; this runs in a process of its own."""
    import cv2
    import torch

    torch.set_num_threads(config.threads)
    cv2.setNumThreads(config.threads)
    stride = max(1, config.every // VIDEO_FRAMES_PER_FRAME.get(name, 1))
    scores = evaluate_tracker(make_tracker(config), evaluation_videos(root, name), stride=stride)
    return SequenceScore(
        name, len(scores.objects), len(scores.frames[name]), 100 * scores.j_and_f, 100 * scores.j_mean,
        100 * scores.f_mean, scores.frames_per_second,
    )  # fmt: skip


def make_tracker(config: ScoreConfig) -> Tracker:
    """The tracker to be scored. Raises LimpetError."""
    tracker = load(
        config.model,
        weights=config.weights,
        device=config.device,
        max_size=config.max_size,
        enlarge=config.enlarge,
        objects_at_once=config.objects_at_once,
        precision=config.precision,
    )
    if config.memory is not None:
        tracker.memory = parse_policy(config.memory, tracker.config)
    return tracker


def parse_policy(text: str, config: ModelConfig) -> MemoryPolicy:
    """``bounded:5:2`` -> the policy ``bounded`` with a gap of 5 frames that keeps 2. Raises ModelError."""
    name, *numbers = text.split(":")
    policy = find_policy(name, config)
    if len(numbers) > 2 or not all(number.isdecimal() for number in numbers):
        raise ModelError(f"--memory {text!r} is not understood; expected NAME, NAME:GAP or NAME:GAP:FRAMES")
    return replace(policy, **dict(zip(("gap", "max_frames"), map(int, numbers), strict=False)))


def score_all(config: ScoreConfig, data: Path, names: Collection[str], jobs: int) -> Iterator[SequenceScore]:
    """The scores of the sequences in the order in which they are done, ``jobs`` of them at a time."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        running = [
            pool.submit(score_sequence, config, data / (SEVERAL if name in CLIPS_OF_SEVERAL else DAVIS), name)
            for name in names
        ]
        try:
            for done in as_completed(running):
                yield done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def names_in(data: Path, list_name: str) -> tuple[str, ...]:
    """The sequences that a list of DATA/davis2016/ImageSets names."""
    return tuple((data / DAVIS / "ImageSets" / f"{list_name}.txt").read_text().split())


def means_of(scores: dict[str, SequenceScore], parts: dict[str, Sequence[str]]) -> dict[str, float | None]:
    """The mean J&F of each part in per cent; None for a part with a sequence that was not scored."""
    return {
        part: statistics.fmean(scores[name].j_and_f for name in names) if set(names) <= set(scores) else None
        for part, names in parts.items()
    }


def facts_of(config: ScoreConfig) -> dict[str, Any]:
    """What a result depends on: code, weights, memory policy and settings."""
    tracker = make_tracker(config)
    policy = tracker.memory
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "model": tracker.name,
        "weights": None if config.weights is None else str(config.weights),
        "weights_sha256": tracker.weights_sha256,
        "memory": {"policy": policy.name, "gap": policy.gap, "max_frames": policy.max_frames},
        "precision": str(tracker.model.dtype).removeprefix("torch."),
        "max_size": config.max_size,
        "enlarge": config.enlarge,
        "objects_at_once": config.objects_at_once,
        "every": config.every,
        "device": str(tracker.device),
    }


def table(scores: Sequence[SequenceScore], means: dict[str, float | None]) -> str:
    """A line for each sequence, and one for each mean."""
    lines = [f"    {'':22} objects  frames    J&F      J      F"]
    lines += [
        f"    {s.name:22} {s.objects:7d} {s.frames:7d} {s.j_and_f:6.1f} {s.j:6.1f} {s.f:6.1f}" for s in scores
    ]
    lines += [f"    {part:22} {'':15} {mean:6.1f}" for part, mean in means.items() if mean is not None]
    return "\n".join(lines)


def main() -> None:
    options = parse()
    parts: dict[str, Sequence[str]] = {
        part: names_in(options.data, part) for part in ("dev", "hard", "score")
    }
    parts["several"] = CLIPS_OF_SEVERAL
    names = [*parts["score"], *CLIPS_OF_SEVERAL]
    if unknown := set(options.only or ()) - {*names, *parts}:
        raise SystemExit(
            f"--only: there is no {', '.join(sorted(unknown))}; use {', '.join([*parts, *names])}"
        )
    chosen = set(options.only or names).union(
        *(parts[part] for part in parts if part in (options.only or ()))
    )
    for weights in options.weights or [None]:
        for memory in options.memory or [None]:
            config = ScoreConfig(
                options.model, weights, memory, options.max_size, options.enlarge, options.objects_at_once,
                options.precision, options.every, options.device, options.threads,
            )  # fmt: skip
            facts = facts_of(config)
            print(
                f"{facts['model']}, sha256 {facts['weights_sha256'][:12]}, memory {facts['memory']}",
                flush=True,
            )
            scores = {}
            for score in score_all(
                config, options.data, [name for name in names if name in chosen], options.jobs
            ):
                scores[score.name] = score
                print(f"    {len(scores)}: {score.name} {score.j_and_f:.1f}", flush=True)
            means = means_of(scores, parts)
            ordered = [scores[name] for name in names if name in scores]
            print(table(ordered, means), flush=True)
            if options.json:
                line = facts | {"j_and_f": means, "sequences": [asdict(score) for score in ordered]}
                with options.json.open("a") as file:
                    file.write(json.dumps(line) + "\n")


def scoring_parser(description: str | None) -> argparse.ArgumentParser:
    """The options of every script that scores trackers on DATA."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    shared = Path(os.environ.get("LIMPET_SHARED", Path(limpet.__file__).parents[2] / "shared"))
    parser.add_argument(
        "--data", type=Path, default=shared / "data", help="with davis2016/ and multi_object/"
    )
    parser.add_argument("--model", help="name of the model; by default that of the weights")
    parser.add_argument(
        "--max-size", type=int, default=480, help="network input size: shorter side, in pixels"
    )
    parser.add_argument("--enlarge", type=float, default=1.67, help="see limpet.load")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto")
    parser.add_argument("--jobs", type=int, default=1, help="sequences at a time, each in a process")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append a line for each result")
    return parser


def parse() -> argparse.Namespace:
    parser = scoring_parser(__doc__)
    parser.add_argument("--weights", type=Path, nargs="+", help="weights files; by default those that ship")
    parser.add_argument("--memory", nargs="+", metavar="POLICY", help="by default the model's own")
    parser.add_argument("--objects-at-once", type=int, help="see limpet.load")
    parser.add_argument("--every", type=int, default=1, help="use only every Nth frame of the videos")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help='sequences, or "dev", "hard", "score", "several objects"'
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of each process")
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except LimpetError as error:
        raise SystemExit(str(error)) from None
