"""Scores a student, or the teacher, as all arms are scored."""

from __future__ import annotations

from typing import Any

from limpet.evaluation.protocol import evaluate_tracker
from limpet.evaluation.tables import Receipt
from limpet.models import Model
from limpet.studies.bench import Bench
from limpet.studies.footprint import footprint
from limpet.studies.provenance import commit
from limpet.studies.result import Result
from limpet.studies.train import Cost
from limpet.tracking.load import choose_device
from limpet.tracking.tracker import Tracker

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
    receipt = Receipt("", bench.judge.name)
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
