"""Trains one student, stage after stage; stages that are done are not repeated, a half one goes on."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from limpet.core.files import atomic_path
from limpet.core.provenance import commit
from limpet.distillation.config import DistillationRecord
from limpet.distillation.distill_student import distill
from limpet.evaluation.protocol import evaluate_tracker
from limpet.evaluation.score_tables import Receipt
from limpet.models import Model
from limpet.studies.conditions import Bench
from limpet.studies.footprint import footprint
from limpet.studies.result import Result
from limpet.studies.scale import Stage
from limpet.studies.study import Arm
from limpet.tracking.load import choose_device
from limpet.tracking.tracker import Tracker
from limpet.training.checkpoint import CHECKPOINT, load_checkpoint
from limpet.training.setup import finish_run
from limpet.weights.weights_file import load_into, read_weights

WEIGHTS, COST = "weights.safetensors", "cost.json"


@dataclass(frozen=True)
class Cost:
    """Steps of a training and the seconds they took."""

    steps: int = 0
    seconds: float = 0.0


def train_student(bench: Bench, arm: Arm, seed: int, folder: Path, quiet: bool = False) -> tuple[Model, Cost]:
    """A student with its averaged weights, and what they cost.

    Args:
        folder: of the run; each of several stages has a folder in it.

    Raises:
        DataError, MissingExtraError, OutputError: as of ``distill``.
    """
    student = bench.start.student(arm.student, seed)
    cost = Cost()
    for stage in bench.scale.stages:
        place = folder / stage.name if len(bench.scale.stages) > 1 else folder
        if not (place / WEIGHTS).is_file():
            _train_stage(student, bench, arm, stage, seed, place, quiet)
        load_into(student, read_weights(place / WEIGHTS).tensors, str(place / WEIGHTS))
        spent = json.loads((place / COST).read_text())
        cost = Cost(cost.steps + spent["steps"], cost.seconds + spent["seconds"])
    return student, cost


def _train_stage(
    student: Model, bench: Bench, arm: Arm, stage: Stage, seed: int, place: Path, quiet: bool
) -> None:
    assert bench.teacher is not None  # such arms are skipped
    settings = DistillationRecord(bench.teacher.name, bench.teacher.weights_sha256, arm.student, arm.lesson)
    training = replace(stage.training, model=arm.student, clips=replace(stage.training.clips, seed=seed))
    share = training.clips.video_prob
    half_done = (place / CHECKPOINT).is_file()
    first = load_checkpoint(place / CHECKPOINT).step if half_done else 0
    torch.manual_seed(seed)  # of projections that are trained beside the student
    begin = time.perf_counter()
    average = distill(
        student, bench.teacher, settings, training, place,
        None if share == (1.0, 1.0) else bench.stills,  # where a stage is of one kind, nothing of the other is seen
        () if share == (0.0, 0.0) else bench.videos,
        device=bench.device, resume=half_done, quiet=quiet,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    whole = seconds * training.steps / max(1, training.steps - first)
    if first < training.steps or not (place / COST).is_file():
        with atomic_path(place / COST) as temporary:
            temporary.write_text(json.dumps({"steps": training.steps, "seconds": whole}) + "\n")
    finish_run(average, training, place)


NO_COST = Cost()


def score_model(
    model: Model, name: str, bench: Bench, recipe: dict[str, Any], cost: Cost = NO_COST
) -> Result:
    """J and F on ``bench.judge``, and what the tracker takes in memory at 480p.

    Raises:
        DataError: as of ``evaluate_tracker``.
    """
    assert bench.judge is not None  # only a dry run goes without
    device = choose_device(bench.device)
    model = model.eval()
    took = footprint(Tracker(model, device, precision="fp32"))
    tracker = Tracker(model, device, max_size=bench.scale.max_size, name=name)
    scores = evaluate_tracker(tracker, bench.judge, stride=bench.scale.stride)
    receipt = Receipt("", bench.judge.split)
    return Result(
        recipe=recipe,
        j_and_f=100 * scores.j_and_f,
        j=100 * scores.j_mean,
        f=100 * scores.f_mean,
        frames_per_second=scores.frames_per_second,
        parameters=took.parameters,
        peak_mb=took.peak_mb,
        steps=cost.steps,
        seconds=cost.seconds,
        commit=commit(),
        version=receipt.version,
        machine=receipt.machine,
        date=receipt.date,
    )


def score_teacher(bench: Bench, recipe: dict[str, Any]) -> Result:
    """The same of the teacher."""
    assert bench.teacher is not None
    return score_model(bench.teacher.model, bench.teacher.name, bench, recipe)
