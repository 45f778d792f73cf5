"""The settings of a distillation besides its training; ``limpet distill`` makes options from them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_args

from limpet.core.config_fields import build, check_options, option, resume_config, settings_of, value_at
from limpet.core.errors import DataError, Option
from limpet.core.files import atomic_path
from limpet.core.json_text import read_json
from limpet.core.saved_config import from_json, to_json

Method = Literal["attention", "mobilevos"]
LabelSource = Literal["online", "cached"]
LogitLoss = Literal["dist", "inter", "intra", "kl", "none"]
AttentionLoss = Literal["cka", "kl", "none"]
FeatureKind = Literal["none", "hints", "pefd", "mobilevos"]
MapKind = Literal["long-term", "self"]
RepresentationLoss = Literal["renyi", "hints", "attention-transfer", "none"]
Sampling = Literal["boundary", "random", "all"]
FILE = "distillation.json"
LOSSES = "What the student learns from the teacher"
MOBILEVOS = "What the student learns with --method mobilevos"


class MapChoice(NamedTuple):
    """Which attention map is compared (Table 5): the layer, counted from 0 or backwards from -1, and the kind."""

    layer: int = -1
    kind: MapKind = "long-term"


def map_pair(text: str) -> tuple[MapChoice, MapChoice]:
    """``-1:-1`` or ``0:2:self`` -> the student's and the teacher's map. Raises DataError for any other form."""
    match = re.fullmatch(r"(-?\d+):(-?\d+)(?::(long-term|self))?", text)
    if match is None:
        raise DataError(
            Option("maps", text),
            " is not understood; expected STUDENT_LAYER:TEACHER_LAYER[:KIND], for instance -1:-1 or 0:2:self",
        )
    kind = cast("MapKind", match[3] or "long-term")
    return MapChoice(int(match[1]), kind), MapChoice(int(match[2]), kind)


@dataclass(frozen=True)
class DistillationLossConfig:
    """Which terms the distillation loss has (eq. 12). With "none" for both logits and attention it is zero."""

    logits: LogitLoss = option(
        "dist",
        help="How logits are compared: dist (the inter- and the intra-object loss), inter or intra (one of the two "
        "alone), kl, or none.",
        group=LOSSES,
        choices=get_args(LogitLoss),
    )
    attention: AttentionLoss = option(
        "cka",
        help="How attention maps are compared.",
        group=LOSSES,
        choices=get_args(AttentionLoss),
    )
    attention_weight: float = option(
        1.5, help="Weight of the attention loss (lambda; the paper has 1.5).", group=LOSSES, min=0
    )
    temperature: float = option(1.0, help="Temperature of --logits kl.", group=LOSSES, above=0)
    slots: int = option(
        11,
        help="Slots of the inter-object loss: the objects that the models hold at once, and the background.",
        group=LOSSES,
        min=3,
        metavar="N",
        flag="--loss-slots",
    )

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class MobileVOSConfig:
    """The terms of MobileVOS's loss besides the mask loss (its eq. 10, in which every weight is 1).

    >>> MobileVOSConfig(omega=0.0).representation
    'renyi'
    """

    omega: float = option(
        0.95,
        help="What pixels should be alike: those of the teacher (1), those with the same label (0: contrastive "
        "learning), or a mixture. The paper has 0.95 for MobileNetV2 and 0 for ResNet-18.",
        group=MOBILEVOS,
        min=0,
        max=1,
    )
    representation: RepresentationLoss = option(
        "renyi",
        help="How the maps that the last layers read are compared: renyi (the paper's loss), or as other methods do, "
        "hints or attention-transfer; or none.",
        group=MOBILEVOS,
        choices=get_args(RepresentationLoss),
    )
    feature_weight: float = option(1.0, help="Weight of the representation term.", group=MOBILEVOS, min=0)
    logit_weight: float = option(
        1.0, help="Weight of the KL divergence of the logits; 0 leaves it out.", group=MOBILEVOS, min=0
    )
    logit_temperature: float = option(
        0.1, help="Temperature of the logits; below 1 sharpens them.", group=MOBILEVOS, above=0
    )
    sampling: Sampling = option(
        "boundary",
        help="Which pixels are compared: those near the outlines of objects, as many at random, or all, which takes "
        "memory for the square of their number.",
        group=MOBILEVOS,
        choices=get_args(Sampling),
    )
    outline_radius: int = option(
        2, help="How far from an outline counts as near, in cells of 4 x 4 pixels.", group=MOBILEVOS, min=0
    )
    sampled_cells: int = option(
        1024,
        help="Cells of an object that are compared in each frame, at most; a random part of more is taken.",
        group=MOBILEVOS,
        min=1,
        metavar="N",
    )

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def asks_nothing(self) -> bool:
        """Whether no term is left that looks at the teacher."""
        return self.logit_weight == 0 and (self.representation == "none" or self.feature_weight == 0)


_OF_ATTENTION = ("loss", "maps", "features", "labels")


@dataclass(frozen=True)
class DistillationConfig:
    """What the student is compared in, and where the teacher's answers come from.

    >>> DistillationConfig(loss=DistillationLossConfig(attention="none")).pairs
    ()

    ``maps`` are pairs of (student's, teacher's) attention map (eq. 9). ``loss``, ``maps``, ``features`` and cached
    labels are of the method "attention", ``mobilevos`` of the method "mobilevos".
    """

    loss: DistillationLossConfig = field(default_factory=DistillationLossConfig)
    label_weight: float = option(
        1.0,
        help="Weight of the mask loss (--mask-loss): against the teacher's labels or, with --method mobilevos, against "
        "the masks of the clips. The paper of --method attention has no such term (0); correlation alone does not say "
        "how certain a pixel should be.",
        group=LOSSES,
        min=0,
    )
    maps: tuple[tuple[MapChoice, MapChoice], ...] = option(
        ((MapChoice(), MapChoice()),),
        help="Layers of student and teacher whose attention maps are compared, -1 being the last; KIND is long-term or "
        "self. May be repeated.  [default: -1:-1]",
        group=LOSSES,
        metavar="S:T[:KIND]",
        parse=map_pair,
    )
    features: FeatureKind = option(
        "none",
        help="How the tokens that the two decoders read are compared, as other methods do "
        "(Table 2 of the distillation paper).",
        group=LOSSES,
        choices=get_args(FeatureKind),
    )
    labels: LabelSource = option(
        "online",
        help="online: the teacher watches every training clip; cached: the masks that it left in the label cache are "
        "learned, which is faster and has no attention maps.",
        group=LOSSES,
        choices=get_args(LabelSource),
        primary=True,
    )
    method: Method = option(
        "attention",
        help="attention: logits by correlation and attention maps, without labels (docs/distillation.md); mobilevos: "
        "logits and what the last layers read, near the outlines of objects, with the masks of the clips "
        "(docs/mobilevos.md).",
        group=LOSSES,
        choices=get_args(Method),
        primary=True,
    )
    mobilevos: MobileVOSConfig = field(default_factory=MobileVOSConfig)

    def __post_init__(self) -> None:
        check_options(self)
        self._refuse_what_the_method_does_not_have()
        if self.method == "mobilevos" and self.mobilevos.asks_nothing:
            raise DataError(
                "logit_weight is 0 and representation 'none'; nothing would be learned from the teacher, use limpet "
                "train for that"
            )
        if self.loss.logits == self.loss.attention == self.features == "none":
            raise DataError("logits and attention are both 'none'; nothing would be learned from the teacher")
        if self.labels == "cached" and self.pairs:
            raise DataError(
                "cached labels are masks, and there is no attention in them; use ",
                Option("attention", "none"),
                ", or ",
                Option("labels", "online"),
            )
        if self.labels == "cached" and self.features != "none":
            raise DataError(
                "cached labels are masks, and there are no features in them; use ", Option("labels", "online")
            )

    def _refuse_what_the_method_does_not_have(self) -> None:
        """A setting of the other method that is not at its default was meant to do something. Raises DataError."""
        own = self.method == "mobilevos"
        other, parts = ("attention", _OF_ATTENTION) if own else ("mobilevos", ("mobilevos",))
        for setting in settings_of(DistillationConfig):
            if setting.path[0] in parts and value_at(self, setting.path) != setting.default:
                raise DataError(
                    f"{setting.name} does nothing with the method {self.method!r}; leave it out, or use ",
                    Option("method", other),
                )

    @classmethod
    def from_options(cls, given: Mapping[str, Any]) -> DistillationConfig:
        """From the options that were given, by name. With cached labels the default of ``attention`` is "none"."""
        if given.get("labels") == "cached" and given.get("method", "attention") == "attention":
            given = {"attention": "none", **given}
        return build(cls, given)

    @property
    def pairs(self) -> tuple[tuple[MapChoice, MapChoice], ...]:
        """The pairs of maps that are needed: none where attention is not compared."""
        return () if self.method == "mobilevos" or self.loss.attention == "none" else self.maps


@dataclass(frozen=True)
class DistillationRecord:
    """One distillation, as it is saved beside its run: who learns from whom, and how.

    teacher, teacher_sha256: the teacher's name and its weights.
    student: the student's name.
    """

    teacher: str
    teacher_sha256: str
    student: str
    settings: DistillationConfig = field(default_factory=DistillationConfig)

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, with the version of these settings."""
        return to_json(self, "distillation")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> DistillationRecord:
        """The inverse of ``as_json``, for what earlier versions wrote too. Raises DataError."""
        return from_json(cls, values, "distillation")


def record(
    config: DistillationRecord, folder: Path, resume: bool, given: Collection[str] | None = None
) -> DistillationRecord:
    """Write the settings into a new run's folder, or check that they fit the run that is resumed.

    Args:
        given: names of the settings that were given on purpose, see ``limpet.core.config_fields.resume_config``.

    Returns:
        The settings to go on with: where a run is resumed, its own.

    Raises:
        DataError: they differ from those of the run; the message names each with both values. OutputError: the file
            cannot be written.
    """
    path = folder / FILE
    if resume and path.is_file():
        begun = _read(path)
        who = [
            f"{name} was {was!r}, is now {now!r}"
            for name in ("teacher", "teacher_sha256", "student")
            if (was := getattr(begun, name)) != (now := getattr(config, name))
        ]
        if who:
            raise DataError(
                f"the run in {folder} was begun with other models: {'; '.join(who)}; go on with the same ones, or "
                f"choose another folder"
            )
        return replace(
            begun, settings=resume_config(begun.settings, config.settings, given, f"the run in {folder}")
        )
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(config.as_json(), indent=2) + "\n")
    return config


def _read(path: Path) -> DistillationRecord:
    try:
        return DistillationRecord.from_json(read_json(path))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read ({error}); take it from an intact copy of the run, or choose another folder"
        ) from error
