"""A distillation from its footage to the student's weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from limpet.data import StillsFolder, VideoSet
from limpet.distillation.config import DistillationRecord, record
from limpet.distillation.objective import CachedDistillation, OnlineDistillation
from limpet.models.base import Model
from limpet.tracking.tracker import Tracker
from limpet.training.config import TrainConfig
from limpet.training.loop import Score, train
from limpet.training.rollout import Objective


def distill(
    student: Model,
    teacher: Tracker,
    settings: DistillationRecord,
    training: TrainConfig,
    folder: Path,
    stills: StillsFolder | None,
    videos: Sequence[VideoSet],
    *,
    device: str = "auto",
    processes: int = 1,
    resume: bool = False,
    score: Score | None = None,
    quiet: bool = False,
) -> Model:
    """Train ``student`` on what ``teacher`` says, and return its averaged weights in a model of their own.

    Args:
        student: with the weights to start from; its parameters are changed.
        teacher: on the device of the training.
        settings: see DistillationRecord; they are kept in ``folder`` and must be the same when resuming.
        training: see TrainConfig; clips never have more objects than both networks hold.
        stills, videos: what clips are made of. Masks of videos are the teacher's, from the label cache; of photos only
            the mask of a clip's first frame is looked at (``online``).
        device, processes, resume, score, quiet: see ``limpet.training.loop.train``.

    Raises:
        DataError, MissingExtraError: see ``train``; also for settings that differ from those of the run.
        OutputError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    what = record(settings, folder, resume).settings
    most = min(training.clips.max_objects, student.config.max_objects, teacher.config.max_objects)
    training = replace(training, clips=replace(training.clips, max_objects=most))

    def objective(model: Model) -> Objective:
        if what.labels == "cached":
            return CachedDistillation(model, what)
        return OnlineDistillation(model, teacher.model, what)

    return train(
        student, training, folder, stills, videos, device=device, processes=processes, resume=resume, score=score,
        objective=objective, quiet=quiet,
    )  # fmt: skip
