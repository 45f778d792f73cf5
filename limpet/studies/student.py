"""One student: trained stage after stage, scored as all are, or tried for a few steps.

Stages that are done are not repeated, and a half-finished one goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import torch

from limpet.core.errors import DataError
from limpet.core.files import atomic_path
from limpet.core.json_text import read_json
from limpet.core.provenance import commit
from limpet.distillation.config import DistillationRecord
from limpet.distillation.distill_student import distill
from limpet.evaluation.evaluate_videos import evaluate_tracker
from limpet.evaluation.score_tables import Receipt
from limpet.models import Model
from limpet.studies.arms import Arm, Queue
from limpet.studies.conditions import Conditions, training_of
from limpet.studies.footprint import footprint
from limpet.studies.queue import tracker_with_queue
from limpet.studies.result import LOG, Recipe, Result, read_log
from limpet.studies.scale import DRY_SIZE, Stage, dry
from limpet.tracking.load import choose_device
from limpet.tracking.tracker import Tracker
from limpet.training.checkpoint import CHECKPOINT, load_checkpoint
from limpet.training.loop import train
from limpet.training.setup import finish_run
from limpet.weights.weights_file import load_into, read_weights

WEIGHTS, COST = "weights.safetensors", "cost.json"
TRAINED = (WEIGHTS, COST, LOG)
"""The files of a run that its training leaves."""


@dataclass(frozen=True)
class Cost:
    """Steps of a training and the seconds they took."""

    steps: int = 0
    seconds: float = 0.0


def train_student(
    conditions: Conditions, arm: Arm, seed: int, folder: Path, quiet: bool = False
) -> tuple[Model, Cost]:
    """Train a student; gives it with its averaged weights, and what they cost.

    Args:
        folder: of the run; where there are several stages, each has a folder in it.

    Raises:
        DataError, MissingExtraError, OutputError: see ``distill``.
    """
    student = conditions.start.student(arm.student, seed)
    cost = Cost()
    for stage in conditions.scale.stages:
        place = folder / stage.name if len(conditions.scale.stages) > 1 else folder
        if not (place / WEIGHTS).is_file():
            _train_stage(student, conditions, arm, stage, seed, place, quiet)
        load_into(student, read_weights(place / WEIGHTS).tensors, str(place / WEIGHTS))
        cost = _with_cost_of(place / COST, cost)
    return student, cost


def _with_cost_of(path: Path, cost: Cost) -> Cost:
    try:
        spent = read_json(path)
        return Cost(cost.steps + int(spent["steps"]), cost.seconds + float(spent["seconds"]))
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read ({error!r}); remove {path.parent}, and it is trained again"
        ) from error


def _train_stage(
    student: Model, conditions: Conditions, arm: Arm, stage: Stage, seed: int, place: Path, quiet: bool
) -> None:
    training = training_of(stage, arm)
    training = replace(training, model=arm.student, clips=replace(training.clips, seed=seed))
    share = training.clips.video_prob
    half_done = (place / CHECKPOINT).is_file()
    first = load_checkpoint(place / CHECKPOINT).step if half_done else 0
    torch.manual_seed(seed)  # of projections that are trained beside the student
    begin = time.perf_counter()
    stills = (
        None if share == (1.0, 1.0) else conditions.stills
    )  # a stage of one kind sees nothing of the other
    videos = () if share == (0.0, 0.0) else conditions.videos
    if arm.distillation is None or not stage.taught:
        average = train(
            student, training, place, stills, videos, device=conditions.device, resume=half_done, quiet=quiet
        )
    else:
        teacher = conditions.teacher
        assert teacher is not None  # such arms are skipped
        settings = DistillationRecord(teacher.name, teacher.weights_sha256, arm.student, arm.distillation)
        average = distill(
            student, teacher, settings, training, place, stills, videos, device=conditions.device, resume=half_done,
            quiet=quiet,
        )  # fmt: skip
    seconds = time.perf_counter() - begin
    whole = seconds * training.steps / max(1, training.steps - first)
    if first < training.steps or not (place / COST).is_file():
        with atomic_path(place / COST) as temporary:
            temporary.write_text(json.dumps({"steps": training.steps, "seconds": whole}) + "\n")
    finish_run(average, training, place)


NO_COST = Cost()


def score_model(
    model: Model, name: str, conditions: Conditions, recipe: Recipe, cost: Cost = NO_COST
) -> Result:
    """Score ``model`` on ``conditions.scored_on``, and measure the memory of its tracker at 480p.

    Raises:
        DataError: see ``evaluate_tracker``.
    """
    assert conditions.scored_on is not None  # only a dry run goes without
    device = choose_device(conditions.device)
    model = model.eval()
    took = footprint(Tracker(model, device, precision="fp32"))
    queue = cast(Queue | None, recipe.queue)
    tracker = tracker_with_queue(model, queue, device, max_size=conditions.scale.max_size, name=name)
    scores = evaluate_tracker(tracker, conditions.scored_on, stride=conditions.scale.stride)
    receipt = Receipt("", conditions.scored_on.split)
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


def score_teacher(conditions: Conditions, recipe: Recipe) -> Result:
    """The same for the teacher."""
    assert conditions.teacher is not None
    return score_model(conditions.teacher.model, conditions.teacher.name, conditions, recipe)


def dry_run_study(arms: Sequence[Arm], conditions: Conditions, steps: int) -> list[str]:
    """Train the first arm that can be run for ``steps`` steps per stage on small clips, and throw it away.

    Returns:
        A sentence for each stage: how many steps, of how many, and the losses.

    Raises:
        DataError: no arm can be run with this teacher, or see ``distill``.
    """
    usable = [arm for arm in arms if conditions.obstacle(arm) is None]
    if not usable:
        raise DataError(f"no arm can be tried: {conditions.obstacle(arms[0])}")
    arm, lines = usable[0], []
    with TemporaryDirectory(prefix="limpet-study-") as name:
        folder = Path(name)
        trial = replace(conditions, scale=dry(conditions.scale, steps))
        train_student(trial, arm, 0, folder, quiet=True)
        for stage in conditions.scale.stages:
            place = folder / stage.name if len(conditions.scale.stages) > 1 else folder
            losses = [row["loss"] for row in read_log(place / LOG)]
            done = f"{len(losses)} of {stage.training.steps} steps on clips of {DRY_SIZE} pixels"
            lines.append(f"{arm.name}, {stage.name}: {done}, loss {losses[0]:.3f} to {losses[-1]:.3f}")
    return lines
