"""Compares memory policies: the score and the time of a step of one model, for many policies in one go.

    python benchmarks/memory_policies.py --data DATA first bounded:5:2 ring:5:2 official
    python benchmarks/memory_policies.py --data DATA --weights A.safetensors --max-size 320 --json F bounded:2:2

DATA and the form of a policy are as for benchmarks/score.py. All policies take each frame in turn and share the
encoder's features of it, so that a further policy costs only what it changes, and their times are taken in the same
second. A time is the CPU time of the step on one thread, with the encoder's added: the median over all frames.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from score import DAVIS, ScoreConfig, facts_of, make_tracker, means_of, names_in, parse_policy, scoring_parser

from limpet.core.errors import LimpetError
from limpet.data import evaluation_videos
from limpet.evaluation.protocols.davis import task_of_sequence
from limpet.evaluation.sequence_scorer import SequenceScorer
from limpet.evaluation.video_task import draw_label_map
from limpet.models.base import Features
from limpet.tracking.tracker import Tracker


@dataclass(frozen=True)
class PolicyResult:
    """Of one policy on one sequence.

    j_and_f: per cent. milliseconds: CPU time of each step, the encoder's included. state_mb: of the last state.
    """

    name: str
    policy: str
    j_and_f: float
    milliseconds: tuple[float, ...]
    state_mb: float


class SharedEncoder:
    """Stands in for ``Model.encode``: the features of a frame are computed once, however many policies ask."""

    def __init__(self, tracker: Tracker) -> None:
        self.encode = tracker.model.encode
        self.features: Features | None = None
        self.milliseconds = 0.0
        tracker.model.encode = self  # type: ignore[method-assign]

    def next_frame(self) -> None:
        """Forget the features: the next image is another frame."""
        self.features = None

    def __call__(self, image: Any) -> Features:
        if self.features is None:
            began = time.process_time()
            self.features = self.encode(image)
            self.milliseconds = 1000 * (time.process_time() - began)
        return self.features


def compare_on(name: str, config: ScoreConfig, root: Path, policies: tuple[str, ...]) -> list[PolicyResult]:
    """Track one sequence with every policy; this runs in a process of its own."""
    import cv2
    import torch

    torch.set_num_threads(config.threads)
    cv2.setNumThreads(config.threads)
    tracker = make_tracker(config)
    encoder = SharedEncoder(tracker)
    [sequence] = evaluation_videos(root, name)
    chosen = [parse_policy(policy, tracker.config) for policy in policies]
    task = task_of_sequence(sequence)
    scorers = [SequenceScorer(task) for _ in policies]
    given, _ = draw_label_map(task.given(0), [each.number for each in task.objects])
    states = [tracker.start(sequence.frame(0), given)] * len(policies)
    times: list[list[float]] = [[] for _ in policies]
    for index in range(1, len(sequence)):
        frame = sequence.frame(index)
        encoder.next_frame()
        for number, policy in enumerate(chosen):
            tracker.memory = policy
            began, first = time.process_time(), encoder.features is None
            mask, states[number] = tracker.step(frame, states[number])
            spent = 1000 * (time.process_time() - began)
            times[number].append(spent if first else spent + encoder.milliseconds)
            if index < len(sequence) - 1:
                scorers[number].score(index, mask)
    return [
        PolicyResult(name, policy, mean_of(scorer), tuple(spent), state.nbytes / 1e6)
        for policy, scorer, spent, state in zip(policies, scorers, times, states, strict=True)
    ]


def mean_of(scorer: SequenceScorer) -> float:
    """J&F of a sequence, the mean over its objects, in per cent."""
    return 100 * statistics.fmean(scores.j_and_f for scores in scorer.objects())


def summary(results: list[PolicyResult], parts: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """The means of one policy over all sequences."""
    low, middle, high = statistics.quantiles(
        [spent for result in results for spent in result.milliseconds], n=4
    )
    return {
        "j_and_f": means_of({result.name: result for result in results}, parts),
        "milliseconds": {"median": middle, "quartiles": [low, high]},
        "state_mb": max(result.state_mb for result in results),
        "sequences": {result.name: result.j_and_f for result in results},
    }


def line(policy: str, found: dict[str, Any]) -> str:
    """One row of the table."""
    means = " ".join(
        f"{'-' if mean is None else format(mean, '.1f'):>6}" for mean in found["j_and_f"].values()
    )
    return f"    {policy:14} {means} {found['milliseconds']['median']:8.0f} {found['state_mb']:9.1f}"


def main() -> None:
    options = parse()
    parts = {part: names_in(options.data, part) for part in ("dev", "hard", "score")}
    config = ScoreConfig(
        options.model, options.weights, None, options.max_size, options.enlarge, None, options.precision, 1,
        "cpu", 1,
    )  # fmt: skip
    facts = facts_of(config)
    names = options.only or parts["score"]
    compare = partial(compare_on, config=config, root=options.data / DAVIS, policies=tuple(options.policies))
    found: list[PolicyResult] = []
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for results in pool.map(compare, names):
            found += results
            print(results[0].name, *(f"{each.policy} {each.j_and_f:.1f}" for each in results), flush=True)
    print(f"{facts['model']}, sha256 {facts['weights_sha256'][:12]}, {config.max_size} pixels")
    print(f"    {'':14} {' '.join(f'{part:>6}' for part in parts)} {'ms':>8} {'MB':>9}")
    for policy in options.policies:
        means = summary([result for result in found if result.policy == policy], parts)
        print(line(policy, means), flush=True)
        if options.json:
            with options.json.open("a") as file:
                file.write(json.dumps(facts | {"memory": policy} | means) + "\n")


def parse() -> argparse.Namespace:
    parser = scoring_parser(__doc__)
    parser.add_argument("policies", nargs="+", metavar="POLICY", help="NAME, NAME:GAP or NAME:GAP:FRAMES")
    parser.add_argument("--weights", type=Path, help="weights file; by default the one that ships")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="sequences")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except LimpetError as error:
        raise SystemExit(str(error)) from None
