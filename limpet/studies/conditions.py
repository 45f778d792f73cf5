"""The conditions that all arms of a study share: teacher, start, data, scale, and how students are scored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from limpet.core.errors import DataError, ModelError
from limpet.data import StillsFolder, VideoSet, evaluation_videos, training_videos
from limpet.distillation.config import DistillationRecord
from limpet.models import Model
from limpet.registry import find
from limpet.studies.arms import Arm
from limpet.studies.result import Recipe
from limpet.studies.scale import Scale, Stage
from limpet.tracking.load import DEFAULT_MODEL
from limpet.tracking.tracker import Tracker
from limpet.training.config import TrainConfig
from limpet.training.setup import begin_with_encoder, build_training_model
from limpet.weights.weights_file import read_weights, sha256
from limpet.weights.zoo import find_weights


@dataclass(frozen=True)
class Start:
    """What every student begins with: a whole network's weights, or an ImageNet encoder."""

    weights: Path | None
    encoder: Path | None

    @classmethod
    def of(cls, weights: Path | None, encoder: Path | None) -> Start:
        """The default model's weights where neither is given. Raises DataError where both are."""
        if weights is not None and encoder is not None:
            raise DataError(
                "give --from or --encoder, not both: a whole network's weights hold an encoder already"
            )
        if weights is None and encoder is None:
            weights = find_weights(DEFAULT_MODEL, None)
        return cls(weights, encoder)

    def student(self, name: str, seed: int) -> Model:
        """A student; what the start does not hold is drawn with ``seed``.

        Layers, and offset networks that give zero offsets, are added where the start has none; where the student has
        plain attention, the start's offset networks are left out. Of a start of another family only the encoder is
        taken.

        Raises:
            ModelError, WeightsError: no such preset, or the start does not fit.
        """
        if self.weights is None:
            return build_training_model(name, self.encoder, None, seed)
        config, content = find(name).config(), read_weights(self.weights)
        if isinstance(config, type(find(content.model).config())):
            return build_training_model(name, None, self.weights, seed)
        model = build_training_model(name, None, None, seed)
        prefix = "encoder."
        encoder = {k.removeprefix(prefix): v for k, v in content.tensors.items() if k.startswith(prefix)}
        begin_with_encoder(model, encoder, f"the encoder in {self.weights}")
        return model

    def as_json(self) -> dict[str, str]:
        """Which file it is, by its sha256."""
        kind, path = ("weights", self.weights) if self.weights is not None else ("encoder", self.encoder)
        assert path is not None
        return {kind: sha256(path)}


@dataclass(frozen=True)
class Conditions:
    """The conditions of a study, which are the same for all its arms.

    Attributes:
        scale: how much a run may cost.
        teacher: ready for inference on ``device``; None where there are no weights of it (``no_teacher`` says why).
        start: what every student begins with.
        stills, videos: what clips are made of.
        scored_on: the sequences that students are scored on; None scores nothing.
        data: how the user named these three, for the record.
        device: where students are trained and scored.
    """

    scale: Scale
    teacher: Tracker | None
    start: Start
    stills: StillsFolder | None
    videos: Sequence[VideoSet]
    scored_on: VideoSet | None
    data: dict[str, str]
    device: str = "auto"
    no_teacher: str = ""

    def recipe(self, arm: Arm, seed: int) -> Recipe:
        """Everything that a run's result depends on: equal recipes give equal students."""
        stages = {stage.name: training_of(stage, arm).as_json() for stage in self.scale.stages}
        facts = {"start": self.start.as_json(), "seed": seed, "stages": _plain(stages), "queue": arm.queue}
        if arm.distillation is None:
            return self._scored(student=arm.student, **facts)
        assert self.teacher is not None
        what = arm.distillation
        if what.method == "attention":  # "the last map" and "map 3" are one recipe where there are three
            layers = self.teacher.config.layers
            maps = tuple((o, theirs._replace(layer=theirs.layer % layers)) for o, theirs in what.maps)
            what = replace(what, maps=maps)
        settings = DistillationRecord(self.teacher.name, self.teacher.weights_sha256, arm.student, what)
        return self._scored(distillation=_plain(settings.as_json()), **facts)

    def teacher_recipe(self) -> Recipe:
        """What the teacher's own score depends on."""
        assert self.teacher is not None
        return self._scored(weights=self.teacher.weights_sha256)

    def untrained_recipe(self, student: str) -> Recipe:
        """What the score of a student depends on before it is trained."""
        return self._scored(student=student, start=self.start.as_json())

    def _scored(self, **facts: Any) -> Recipe:
        return Recipe(data=self.data, max_size=self.scale.max_size, stride=self.scale.stride, **facts)

    def obstacle(self, arm: Arm) -> str | None:
        """Why the arm cannot be run with this teacher, or None."""
        if arm.distillation is None:
            return None
        if self.teacher is None:
            return self.no_teacher
        teacher = self.teacher
        if arm.distillation.method == "mobilevos":
            try:
                _ = teacher.model.representation_channels
            except ModelError as error:
                return f"{teacher.name} cannot teach it: {error}"
            return None
        if not isinstance(teacher.config, type(find(arm.student).config())):
            return (
                f"it needs a teacher of the student's family, and {teacher.name} cannot teach {arm.student}; "
                f"name another with --teacher and --teacher-weights"
            )
        layers = teacher.config.layers
        for _, theirs in arm.distillation.pairs:
            if not -layers <= theirs.layer < layers:
                count = "1 layer" if layers == 1 else f"{layers} layers"
                return f"it needs map {theirs.layer + 1} of the teacher, and {teacher.name} has {count}"
        return None


def training_of(stage: Stage, arm: Arm) -> TrainConfig:
    """The settings of a stage with the arm's loss on masks."""
    return stage.training if arm.mask_loss is None else replace(stage.training, mask_loss=arm.mask_loss)


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """The same as it comes back from a file: tuples are lists."""
    found: dict[str, Any] = json.loads(json.dumps(value))
    return found


DAVIS_TRAIN, DAVIS_VAL = "2017/train", "2017/val"
DAVIS_TIMES = 5
"""How often DAVIS's 60 videos count beside the 3,471 of YouTube-VOS, as in the official recipe."""


Split = tuple[Path, str]
"""The root of a folder in DAVIS layout, and one of its lists."""


@dataclass(frozen=True)
class StudyData:
    """What clips are made of, what is scored, and how the user named them."""

    stills: StillsFolder | None
    videos: tuple[VideoSet, ...]
    scored_on: VideoSet | None
    named: dict[str, str]

    @property
    def skipped(self) -> list[str]:
        """One line for each thing that cannot be used."""
        folders = [folder for folder in (self.stills, *self.videos) if folder is not None]
        return list(dict.fromkeys(line for folder in folders for line in folder.skipped))


def small_data(stills: Path | None, videos: Sequence[Split], score: Split | None) -> StudyData:
    """Photos and videos in DAVIS layout.

    Args:
        videos: root and split of each. score: root and split; None scores nothing.

    Raises:
        DataError: nothing was named, or what was named is not there.
    """
    if stills is None and not videos:
        raise DataError("there is nothing to train on; give --stills DIR, --videos ROOT:SPLIT, or both")
    named = {"stills": str(stills)} if stills else {}
    if videos:
        named["videos"] = " ".join(map(_text, videos))
    return StudyData(
        StillsFolder(stills) if stills else None,
        tuple(training_videos(*split) for split in videos),
        evaluation_videos(*score) if score else None,
        named | ({"score": _text(score)} if score else {}),
    )


def paper_data(
    stills: Path | None, davis: Path | None, youtube: Path | None, score: Split | None
) -> StudyData:
    """The data of the published recipe: photos, then DAVIS-2017 and YouTube-VOS in their own layouts.

    Args:
        score: root and split; None scores nothing.

    Raises:
        DataError: one of the three is missing, or is not what it should be.
    """
    roots = {"stills": stills, "davis": davis, "youtube": youtube}
    missing = [f"--{name}" for name, root in roots.items() if root is None]
    if stills is None or davis is None or youtube is None:
        raise DataError(
            f"the paper's recipe needs --stills, --davis and --youtube; give {' and '.join(missing)} too"
        )
    few = training_videos(davis, DAVIS_TRAIN)
    return StudyData(
        StillsFolder(stills),
        (*[few] * DAVIS_TIMES, training_videos(youtube, "train")),
        evaluation_videos(*score) if score else None,
        {name: str(root) for name, root in roots.items()} | ({"score": _text(score)} if score else {}),
    )


def _text(split: Split) -> str:
    return f"{split[0]}:{split[1]}"
