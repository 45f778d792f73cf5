"""A distillation from its footage to the student's weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from limpet.core.errors import ModelError, Option
from limpet.data import StillsFolder, VideoSet
from limpet.distillation.config import DistillationRecord, record
from limpet.distillation.mobilevos import MobileVOSDistillation
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
        stills, videos: what clips are made of. With the method "mobilevos" all their masks count. Else masks of videos
            are the teacher's, from the label cache; of photos only that of a clip's first frame is looked at
            (``online``).
        device, processes, resume, score, quiet: see ``limpet.training.loop.train``.

    Raises:
        DataError, MissingExtraError: see ``train``; also for settings that differ from those of the run.
        ModelError: the method cannot compare these two, see ``check_models``.
        OutputError: the folder cannot be written.
    """
    check_models(student, teacher.model, settings)
    folder.mkdir(parents=True, exist_ok=True)
    what = record(settings, folder, resume).settings
    most = min(training.clips.max_objects, student.config.max_objects, teacher.config.max_objects)
    training = replace(training, clips=replace(training.clips, max_objects=most))

    def objective(model: Model) -> Objective:
        if what.method == "mobilevos":
            return MobileVOSDistillation(model, teacher.model, what)
        if what.labels == "cached":
            return CachedDistillation(model, what)
        return OnlineDistillation(model, teacher.model, what)

    return train(
        student, training, folder, stills, videos, device=device, processes=processes, resume=resume, score=score,
        objective=objective, quiet=quiet,
    )  # fmt: skip


def check_models(student: Model, teacher: Model, settings: DistillationRecord) -> None:
    """Raises ModelError, which says why, where the method cannot compare the student with the teacher."""
    what = settings.settings
    for name, model in ((settings.student, student), (settings.teacher, teacher)):
        if what.method == "mobilevos":
            try:
                _ = model.representation_channels
            except ModelError as error:
                raise ModelError(
                    f"the method 'mobilevos' compares the maps that the last layers read, and {name} cannot take part: "
                    f"{error}; use ",
                    Option("method", "attention"),
                    ", or other models",
                ) from error
        elif what.pairs and type(model).attention_map is Model.attention_map:
            raise ModelError(
                f"the method 'attention' compares attention maps, and {name} has none; use ",
                Option("attention", "none"),
                ", or ",
                Option("method", "mobilevos"),
            )
    if what.pairs and student.config.align_corners != teacher.config.align_corners:
        raise ModelError(
            f"{settings.student} and {settings.teacher} see images of different sizes (16k and 16k + 1 pixels), so "
            f"that the cells of their attention maps differ; use ",
            Option("attention", "none"),
            ", or ",
            Option("method", "mobilevos"),
        )
