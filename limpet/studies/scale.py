"""How much a study may cost: from a minute per run to the published recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from limpet.core.errors import DataError
from limpet.data import ClipConfig
from limpet.studies.arms import PaperName
from limpet.training.config import TrainConfig

DRY_SIZE = 65
HARD_FROM, HARD_FULL = 20_000, 70_000
"""Steps between which STCN goes over from all pixels to the hardest."""


@dataclass(frozen=True)
class Stage:
    """One training; the next stage begins with its averaged weights. The arm sets ``training.model`` and the seed.

    taught: whether the teacher takes part; else the masks of the clips are learned alone.
    """

    name: str
    training: TrainConfig
    taught: bool = True


@dataclass(frozen=True)
class Scale:
    """Settings that all arms share.

    Attributes:
        name, summary: as ``limpet study --list`` shows them.
        stages: one after the other.
        seeds: how many runs an arm has.
        max_size, stride: of the scoring: limit on the shorter side of the network input, and every how many frames.
        teacher: name of the model to learn from; None leaves it to the study.
    """

    name: str
    summary: str
    stages: tuple[Stage, ...]
    seeds: int = 3
    max_size: int = 480
    stride: int = 1
    teacher: str | None = None


def find_scale(name: str, steps: int | None = None, paper: PaperName = "distillation") -> Scale:
    """The scale of a paper's studies that is called ``name``; with ``steps`` in every stage, unless that is None.

    Raises:
        DataError: there is no such scale.
    """
    scales = SCALES if paper == "distillation" else MOBILEVOS_SCALES
    if name not in scales:
        raise DataError(f"there is no scale {name!r}; expected one of {', '.join(scales)}")
    scale = scales[name]()
    if steps is None:
        return scale
    changed = _changed(scale, lambda t: replace(t, steps=steps))
    return replace(changed, summary=f"{scale.summary}; here with {steps} steps per stage")


def dry(scale: Scale, steps: int) -> Scale:
    """The same with ``steps`` steps per stage on one clip of 65 pixels; everything else stays as it is."""
    tried = _changed(
        scale, lambda t: replace(t, steps=steps, log_every=1, clips=replace(t.clips, size=DRY_SIZE, batch=1))
    )
    return replace(tried, name=f"{scale.name}, dry run", seeds=1)


def _changed(scale: Scale, change: Callable[[TrainConfig], TrainConfig]) -> Scale:
    return replace(scale, stages=tuple(replace(s, training=change(s.training)) for s in scale.stages))


def _mini() -> Scale:
    """At batch 2 a peak learning rate above 3e-4 undid what the start had learned; see docs/training.md."""
    training = TrainConfig(
        steps=100, learning_rate=3e-4, min_learning_rate=1e-5, log_every=1, save_every=50,
        clips=ClipConfig(frames=3, size=193, batch=2, max_frame_gap=(2, 5)),
    )  # fmt: skip
    summary = "100 steps at 193 pixels, scored at 240 on every third frame: a minute or two per run on two CPU cores"
    return Scale("mini", summary, (Stage("distil", training),), max_size=240, stride=3)


def _small() -> Scale:
    training = TrainConfig(
        steps=3000, min_learning_rate=1e-5, log_every=10, save_every=250,
        clips=ClipConfig(frames=4, size=257, batch=4, max_frame_gap=(2, 6)),
    )  # fmt: skip
    summary = "3,000 steps at 257 pixels, scored at 480 on every frame: a GPU, or a night per run on a CPU"
    return Scale("small", summary, (Stage("distil", training),))


def _paper() -> Scale:
    """Section 4.2, and what it leaves open from the official DeAOT recipe (batch 16, 5 frames of 465).

    One maximum gap holds for all videos, in frames that have a mask: 3, as that recipe has for YouTube-VOS; for DAVIS
    it would be 12.
    """
    clips = ClipConfig(frames=5, size=465, batch=16, max_frame_gap=(3, 3))
    stills = TrainConfig(
        steps=100_000, learning_rate=4e-4, weight_decay=0.03, teacher_forcing_until=1.0, aux_loss_until=0.1,
        clips=replace(clips, video_prob=(0.0, 0.0)), log_every=100, save_every=1000,
    )  # fmt: skip
    videos = TrainConfig(
        steps=130_000, clips=replace(clips, video_prob=(1.0, 1.0)), log_every=100, save_every=1000
    )
    summary = "the published recipe: 100,000 steps on photos, 130,000 on DAVIS-2017 and YouTube-VOS, batch 16 at 465"
    stages = (Stage("stills", stills), Stage("videos", videos))
    return Scale("paper", summary, stages, teacher="r50-deaot-l")


SCALES: dict[str, Callable[[], Scale]] = {"mini": _mini, "small": _small, "paper": _paper}


def _as_stcn(training: TrainConfig) -> TrainConfig:
    """Its own predictions from the first step, no loss on the first frame, and one rate for all layers."""
    return replace(
        training, teacher_forcing_until=0.0, aux_loss_until=0.0, encoder_lr_ratio=1.0, frozen_stages=0
    )


def _mobilevos_mini() -> Scale:
    mini = _changed(_mini(), lambda t: _as_stcn(replace(t, learning_rate=1e-4)))
    return replace(mini, summary=f"as mini of the distillation paper, at a third of its rate: {mini.summary}")


def _mobilevos_small() -> Scale:
    return _changed(_small(), lambda t: _as_stcn(replace(t, learning_rate=1e-4)))


def _mobilevos_paper() -> Scale:
    """Section 4.2, and what it leaves open from STCN: photos with masks first, without the teacher; 385 for 384 pixels.

    Our optimizer is AdamW with a polynomial decay; STCN has Adam and divides its rate by ten once. Norms stay frozen in
    both.
    """
    clips = ClipConfig(frames=5, size=385, batch=8, max_objects=2, crop_side=(0.6, 1.0))
    begin = _as_stcn(
        TrainConfig(learning_rate=1e-5, min_learning_rate=1e-6, weight_decay=1e-7, warmup_ratio=0.0)
    )
    begin = replace(begin, log_every=100, save_every=1000, keep_every=20_000)
    photos = replace(clips, frames=3, batch=16, video_prob=(0.0, 0.0))
    moving = replace(
        clips, video_prob=(1.0, 1.0), max_frame_gap=(5, 25), frame_gap_full=0.4, frame_gap_back=0.9
    )
    stills, videos = (
        replace(begin, steps=steps, clips=made, top_k_start=HARD_FROM / steps, top_k_full=HARD_FULL / steps)
        for steps, made in ((300_000, photos), (600_000, moving))
    )
    summary = (
        "the published recipe: 300,000 steps on photos, 600,000 on DAVIS-2017 and YouTube-VOS, batch 8 at 385"
    )
    stages = (Stage("stills", stills, taught=False), Stage("videos", videos))
    return Scale("paper", summary, stages, teacher="stcn")


MOBILEVOS_SCALES: dict[str, Callable[[], Scale]] = {
    "mini": _mobilevos_mini, "small": _mobilevos_small, "paper": _mobilevos_paper
}  # fmt: skip
