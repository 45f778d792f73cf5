"""``limpet distill``: from a teacher and unlabelled footage to a small tracker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limpet.cli.config_options import given, with_options
from limpet.cli.options import (
    EncoderFile,
    Processes,
    Resume,
    RunFolder,
    ScoreSet,
    StartFile,
    Threads,
    TrainDevice,
)
from limpet.cli.terminal import FrameProgress, notes, say
from limpet.cli.train import notes_when_stopped
from limpet.core.config_fields import build
from limpet.distillation.config import DistillationConfig
from limpet.training.config import TrainConfig

if TYPE_CHECKING:
    from limpet.distillation.label_footage import LabelResult

LABELS = "Labelling the footage"


@with_options(
    DistillationConfig, TrainConfig, first=("steps", "batch", "learning_rate"), leave_out=("model",)
)
def distill_command(
    context: typer.Context,
    out: RunFolder,
    videos: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR|ROOT:SPLIT",
            help="Footage: a folder of clips or of folders of frames, or a data set and a split. May be repeated.",
        ),
    ] = None,
    first_masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Masks of the first frames: CLIP.png or CLIP/FRAME.png. For clips without one, objects are proposed.",
        ),
    ] = None,
    labelled: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROOT:SPLIT",
            help="Videos whose masks count, for --method mobilevos: a data set and a split. May be repeated.",
            rich_help_panel="Model and data",
        ),
    ] = None,
    teacher: Annotated[
        str, typer.Option(metavar="NAME", help="Model to learn from; a larger one teaches more.")
    ] = "deaot-l",
    teacher_weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Weights of the teacher.", show_default="those in the package"),
    ] = None,
    student: Annotated[str, typer.Option(metavar="NAME", help="Model to train.")] = "deaot-nano",
    encoder: EncoderFile = None,
    start: StartFile = None,
    stills: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Photos with masks, for synthetic clips: a folder with images/ and masks/.",
            rich_help_panel="Model and data",
        ),
    ] = None,
    resume: Resume = False,
    label_size: Annotated[
        int,
        typer.Option(
            metavar="PIXELS",
            min=16,
            help="Shorter side of the footage as it is labelled and kept.",
            rich_help_panel=LABELS,
        ),
    ] = 480,
    label_stride: Annotated[
        list[int] | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Keep every N-th frame of the footage; once for all, or once for each --videos.",
            show_default="1",
            rich_help_panel=LABELS,
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for the labels of the teacher.",
            show_default="OUT/labels",
            rich_help_panel=LABELS,
        ),
    ] = None,
    cache_gb: Annotated[
        float,
        typer.Option(metavar="GB", min=0.01, help="Limit on their size on disk.", rich_help_panel=LABELS),
    ] = 10.0,
    relabel: Annotated[
        bool,
        typer.Option(
            "--relabel",
            help="Discard labels of another teacher or with other settings.",
            rich_help_panel=LABELS,
        ),
    ] = False,
    score: ScoreSet = None,
    device: TrainDevice = "auto",
    processes: Processes = 1,
    threads: Threads = 0,
    **settings: Any,
) -> None:
    """Distil a small tracker from a large one.

    The teacher tracks the objects of the first mask of each clip; the student learns to do the same, without labels.
    With --method mobilevos it also learns the masks of the clips: true ones of --labelled and --stills, the teacher's
    of --videos. The weights of the student are written to weights.safetensors in --out.
    """
    import limpet
    from limpet.distillation.distill_model import MASK_LOSS
    from limpet.distillation.label_clip import LabelConfig

    came = given(context)
    if "student" in came:
        came.add("model")
    config = DistillationConfig.from_options({name: settings[name] for name in settings if name in came})
    if "mask_loss" not in came:
        settings["mask_loss"] = MASK_LOSS[config.method]
    with notes_when_stopped(out), FrameProgress() as progress:

        def on_labelled(name: str, result: LabelResult) -> None:
            progress.clear()
            _tell_labels(name, result)

        result = limpet.distill(
            out, videos or [], teacher=teacher, teacher_weights=teacher_weights,
            training=build(TrainConfig, {**settings, "model": student}),
            config=config, labelling=LabelConfig(max_size=label_size, max_gb=cache_gb), strides=label_stride or [1],
            first_masks=first_masks, labelled=labelled or [], stills=stills, cache=cache, relabel=relabel,
            encoder=encoder, start=start, score=score, device=device, processes=processes, threads=threads,
            resume=resume, given=came, on_notices=lambda lines: notes(lines, rest="that cannot be used", most=20),
            on_label_frame=lambda clip, done, total: progress(done, total, clip), on_labelled=on_labelled,
        )  # fmt: skip
    if result.sha256 is not None:
        say(f"{result.weights} (sha256 {result.sha256})")


def _tell_labels(name: str, result: LabelResult) -> None:
    place = result.folder.root
    notes([f"skipped {line}" for line in result.skipped], rest="that were not labelled", most=20)
    notes(list(result.notices), rest=f"see {place / 'labels.json'}", most=20)
    frames = sum(clip.frames for clip in result.clips)
    say(f"{len(result.clips)} clips of {name}, {frames} frames labelled by the teacher -> {place}")
