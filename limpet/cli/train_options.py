"""The options that commands which train share; see ``limpet.training.config.TrainConfig`` for what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunFolder = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder of the run: checkpoint, log, curves, weights.")
]
StillsPath = Annotated[
    Path | None,
    typer.Option(
        "--stills", metavar="DIR", help="Photos to make clips of: a folder with images/ and masks/."
    ),
]
EncoderFile = Annotated[
    Path | None,
    typer.Option(
        "--encoder",
        metavar="FILE",
        help="Weights of the encoder: ImageNet's, or a model's, whose encoder is taken (safetensors).",
    ),
]
StartFile = Annotated[
    Path | None, typer.Option("--from", metavar="FILE", help="Weights of an earlier stage.")
]
Steps = Annotated[int, typer.Option("--steps", metavar="N", min=1, help="Optimizer steps.")]
Batch = Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Clips a step and device.")]
Frames = Annotated[int, typer.Option("--frames", metavar="N", min=2, help="Frames a clip.")]
ClipSize = Annotated[int, typer.Option("--size", metavar="PIXELS", help="Side of the clips, 16k + 1.")]
VideoProb = Annotated[
    tuple[float, float],
    typer.Option("--video-prob", metavar="A B", help="Share of clips from videos, at start and end."),
]
CrowdProb = Annotated[
    tuple[float, float],
    typer.Option(
        "--crowd-prob",
        metavar="A B",
        help="Share of clips with up to ten objects, many alike, at start and end.",
    ),
]
AttachedObjectProb = Annotated[
    float,
    typer.Option(
        "--attached-object-prob", metavar="X", help="Share of pasted objects (0 to 1) that ride on another."
    ),
]
ImageCacheGb = Annotated[
    float,
    typer.Option(
        "--image-cache-gb",
        metavar="GB",
        min=0.0,
        help="Decoded photos, and as much again of decoded frames, that a process keeps in memory.",
    ),
]
MaxFrameGap = Annotated[
    tuple[int, int],
    typer.Option("--max-frame-gap", metavar="A B", help="Largest distance of frames, at start and end."),
]
LearningRate = Annotated[
    float, typer.Option("--learning-rate", metavar="X", help="The highest, after warm-up.")
]
SmallestRate = Annotated[
    float, typer.Option("--min-learning-rate", metavar="X", help="Where its decay ends.")
]
EncoderRate = Annotated[
    float,
    typer.Option(
        "--encoder-lr-ratio", metavar="X", help="The encoder's share of the learning rate (0 to 1)."
    ),
]
WeightDecay = Annotated[float, typer.Option("--weight-decay", metavar="X", help="Of matrices; AdamW's.")]
OwnPredictionsFrom = Annotated[
    float,
    typer.Option(
        "--teacher-forcing-until",
        metavar="X",
        help="Share of the steps (0 to 1) after which memory is of own predictions.",
    ),
]
IdentityLearns = Annotated[
    bool,
    typer.Option(
        "--train-id-bank-throughout", help="The identity bank goes on learning from own predictions."
    ),
]
MistakeShare = Annotated[
    float,
    typer.Option(
        "--mask-corruption-prob",
        metavar="X",
        help="Share of remembered masks (0 to 1) in which an object loses a piece or takes one.",
    ),
]
ElsewhereShare = Annotated[
    float,
    typer.Option(
        "--reference-augment-prob",
        metavar="X",
        help="Share of the steps (0 to 1) whose long-term memory shows the first frame mirrored, turned and moved.",
    ),
]
SlotsFixedUntil = Annotated[
    float,
    typer.Option(
        "--id-shuffle-start", help="Progress up to which objects keep the identity slot of their id."
    ),
]
SlotsAllFrom = Annotated[
    float, typer.Option("--id-shuffle-full", help="Progress from which all slots are used.")
]
LongTermGap = Annotated[
    int | None,
    typer.Option(
        "--long-term-gap",
        metavar="N",
        min=1,
        help="Frames of a clip between long-term memories; by default 2 for models that keep tracked frames, "
        "and the first frame alone for others.",
    ),
]
ReferenceUntil = Annotated[
    float,
    typer.Option(
        "--aux-loss-until",
        metavar="X",
        help="Share of the steps (0 to 1) at which the first frame's loss is gone.",
    ),
]
FrozenStages = Annotated[
    int, typer.Option("--frozen-stages", metavar="N", help="Encoder stages that do not learn.")
]
TrainPrecision = Annotated[
    str, typer.Option("--precision", metavar="bf16-mixed|32-true", help="Number format of the computation.")
]
Checkpointing = Annotated[
    bool, typer.Option("--gradient-checkpointing", help="Take less memory and more time.")
]
TrainDevice = Annotated[
    str,
    typer.Option(
        "--device", metavar="auto|cpu|cuda", help="Where to compute; auto takes a GPU if there is one."
    ),
]
Processes = Annotated[int, typer.Option("--processes", metavar="N", min=1, help="Devices to train on.")]
Threads = Annotated[
    int, typer.Option("--threads", metavar="N", min=0, help="CPU threads; 0: torch's choice.")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Of everything random.")]
SaveEvery = Annotated[
    int, typer.Option("--save-every", metavar="N", min=0, help="Steps between checkpoints.")
]
ScoreSet = Annotated[
    str | None,
    typer.Option("--score", metavar="ROOT:SPLIT", help="A small set in DAVIS layout to score now and then."),
]
ScoreEvery = Annotated[int, typer.Option("--score-every", metavar="N", min=0, help="Steps between scores.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the run's checkpoint.")]
