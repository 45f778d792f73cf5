"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from limpet.cli.terminal import note
from limpet.core.errors import ModelError

MODEL = "deaot-t-deformable"
ENLARGE = 1.67
SLOTS = 10
"""Objects that a pass of every model holds."""
MODEL_PANEL, ACCURACY_PANEL, RUN_PANEL = "Model", "Accuracy and speed", "Running"

ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Model; see: limpet models. Or hf:owner/name, weights on the Hugging Face hub.",
        show_default=f"that of --weights, or {MODEL}",
        rich_help_panel=MODEL_PANEL,
    ),
]
WeightsFile = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="Weights of the model.",
        show_default="those in the package",
        rich_help_panel=MODEL_PANEL,
    ),
]
DeviceName = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda",
        help="Device; auto uses a GPU if there is one.",
        rich_help_panel=MODEL_PANEL,
    ),
]
NetworkSize = Annotated[
    int,
    typer.Option(
        "--max-size",
        metavar="PIXELS",
        min=16,
        help="Network input size: shorter side, in pixels. Larger frames are scaled down to it; masks always have the "
        "size of the frames.",
        rich_help_panel=ACCURACY_PANEL,
    ),
]
Enlarge = Annotated[
    float,
    typer.Option(
        "--enlarge",
        metavar="X",
        help="Largest factor by which smaller frames are scaled up for the network, at most to --max-size; 1 never "
        "scales up.",
        rich_help_panel=ACCURACY_PANEL,
    ),
]
ObjectsAtOnce = Annotated[
    int | None,
    typer.Option(
        "--objects-at-once",
        metavar="N",
        min=1,
        help="Number of objects per pass of the network. With fewer, objects that look alike are told apart better, "
        "and each frame takes longer.",
        show_default="10",
        rich_help_panel=ACCURACY_PANEL,
    ),
]
Flip = Annotated[
    bool,
    typer.Option(
        "--flip",
        help="Test-time augmentation: also process each frame mirrored, and merge both; takes twice the time.",
        rich_help_panel=ACCURACY_PANEL,
    ),
]
Scales = Annotated[
    str,
    typer.Option(
        "--scales",
        metavar="LIST",
        help="Test-time augmentation: process each frame at these scales, such as 1.0,1.3, and merge them. Time grows "
        "with the sum of their squares.",
        rich_help_panel=ACCURACY_PANEL,
    ),
]
Flow = Annotated[
    str | None,
    typer.Option(
        "--flow",
        metavar="dis|match|none",
        help="Source of optical flow, for models that follow motion (devos-*). dis: from the frames; match: from the "
        "network's features, which can be exported; none: no flow.",
        show_default="as the weights were trained",
        rich_help_panel=MODEL_PANEL,
    ),
]
ResizeMask = Annotated[
    bool, typer.Option("--resize-mask", help="Resize masks whose size differs from that of the frames.")
]
MemoryPolicyName = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="first|official|ring|bounded",
        help="Memory policy: which past frames are attended to. first: those with given masks; official: every gap-th "
        "as well, without limit; ring: the newest of those; bounded: a chosen few of those, for long video.",
        show_default="as the model was trained",
        rich_help_panel="Memory",
    ),
]
PrecisionName = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="auto|fp32|bf16",
        help="Number format; auto uses bf16 where the processor has it.",
        rich_help_panel=MODEL_PANEL,
    ),
]
SegmenterName = Annotated[
    str | None,
    typer.Option(
        "--segmenter",
        metavar="FILES",
        help="Model that makes masks of clicks: its weights (FILE.safetensors), or your own SAM as "
        "ENCODER.onnx,DECODER.onnx; none: no clicks.",
        show_default="limpet's click model",
    ),
]
MemoryBudget = Annotated[
    float | None,
    typer.Option(
        "--memory-budget",
        metavar="MB",
        help="Limit on the memory that is kept between frames, of all objects together.",
        rich_help_panel="Memory",
    ),
]
OverlayToggle = Annotated[bool, typer.Option("--overlay/--no-overlay", help="Write overlay.mp4 too.")]
MaxFrames = Annotated[
    int | None, typer.Option("--max-frames", metavar="N", min=1, help="Stop after N frames.")
]
MaxSeconds = Annotated[
    float | None, typer.Option("--max-seconds", metavar="S", min=0, help="Stop after S seconds of video.")
]


@dataclass(frozen=True)
class TrackerOptions:
    """What commands that run a model offer (``limpet.cli.config_options.with_options``)."""

    model: ModelName = None
    weights: WeightsFile = None
    device: DeviceName = "auto"
    max_size: NetworkSize = 480
    enlarge: Enlarge = ENLARGE
    objects_at_once: ObjectsAtOnce = None
    flip: Flip = False
    scales: Scales = "1.0"
    flow: Flow = None


def load_arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of ``limpet.load`` from the values of ``TrackerOptions``. Raises ModelError for bad scales."""
    arguments = {**values, "name": values["model"], "scales": parse_scales(values["scales"])}
    del arguments["model"]
    if (values["objects_at_once"] or 0) > SLOTS:
        note(
            f"--objects-at-once {values['objects_at_once']}: a pass holds {SLOTS} objects, so that {SLOTS} share one"
        )
    return arguments


def parse_scales(text: str) -> tuple[float, ...]:
    """``1.0,1.3`` -> numbers. Raises ModelError for anything else."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ModelError(
            f"--scales is {text!r}; expected numbers separated by commas, such as 1.0,1.3"
        ) from error


RunFolder = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder of the run: checkpoint, log, curves, weights.")
]
StillsPath = Annotated[
    Path | None,
    typer.Option(
        "--stills",
        metavar="DIR",
        help="Photos with masks, for synthetic clips: a folder with images/ and masks/.",
    ),
]
EncoderFile = Annotated[
    Path | None,
    typer.Option(
        "--encoder",
        metavar="FILE",
        help="Encoder weights to start from (safetensors): ImageNet's, or those of a model, whose encoder is taken.",
        rich_help_panel="Model and data",
    ),
]
StartFile = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="Weights of an earlier stage to start from.",
        rich_help_panel="Model and data",
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in --out from its last checkpoint.")]
ScoreSet = Annotated[
    str | None,
    typer.Option(
        "--score",
        metavar="ROOT:SPLIT",
        help="A small labelled data set to score every --score-every steps.",
        rich_help_panel=RUN_PANEL,
    ),
]
TrainDevice = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda",
        help="Device; auto uses a GPU if there is one.",
        rich_help_panel=RUN_PANEL,
    ),
]
Processes = Annotated[
    int,
    typer.Option(
        "--processes", metavar="N", min=1, help="Number of devices to train on.", rich_help_panel=RUN_PANEL
    ),
]
Threads = Annotated[
    int,
    typer.Option(
        "--threads",
        metavar="N",
        min=0,
        help="CPU threads; 0 leaves the choice to torch.",
        rich_help_panel=RUN_PANEL,
    ),
]

RENAMED_OPTIONS = {
    "--balance": "--attention-weight",
    "--checkpointing": "--gradient-checkpointing",
    "--crowd-share": "--crowd-prob",
    "--elsewhere-share": "--reference-augment-prob",
    "--encoder-rate": "--encoder-lr-ratio",
    "--identity-learns": "--train-id-bank-throughout",
    "--max-gap": "--max-frame-gap",
    "--mistake-share": "--mask-corruption-prob",
    "--own-predictions-from": "--teacher-forcing-until",
    "--pictures-gb": "--image-cache-gb",
    "--reference-until": "--aux-loss-until",
    "--rider-share": "--attached-object-prob",
    "--save-masks": "--masks",
    "--slots-all-from": "--id-shuffle-full",
    "--slots-fixed-until": "--id-shuffle-start",
    "--smallest-rate": "--min-learning-rate",
    "--video-share": "--video-prob",
}
"""Options of earlier versions, as the commands in weights files name them, and what they are called now."""
