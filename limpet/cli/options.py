"""The options that several commands share: which model to run, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limpet.errors import ModelError

MODEL = "deaot-t-deformable"
ENLARGE = 1.67

ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help=f"Which model; see: limpet models.  [default: that of --weights, or {MODEL}]",
    ),
]
WeightsFile = Annotated[
    Path | None,
    typer.Option("--weights", metavar="FILE", help="Weights of the model.  [default: those that ship]"),
]
DeviceName = Annotated[
    str,
    typer.Option(
        "--device", metavar="auto|cpu|cuda", help="Where to compute; auto takes a GPU if there is one."
    ),
]
ShorterSide = Annotated[
    int,
    typer.Option(
        "--max-size",
        metavar="PIXELS",
        min=16,
        help="Shorter side of what the network sees; larger frames are reduced for it. Masks always have the "
        "frames' own size.",
    ),
]
Enlarge = Annotated[
    float,
    typer.Option(
        "--enlarge",
        metavar="X",
        help="How much smaller frames are enlarged for the network, up to --max-size; 1 leaves them as they are.",
    ),
]
ObjectsAtOnce = Annotated[
    int | None,
    typer.Option(
        "--objects-at-once",
        metavar="N",
        min=1,
        help="Objects that share one pass of the network. Fewer are told apart better where they are alike, and take "
        "more time.  [default: 10]",
    ),
]
Flip = Annotated[
    bool, typer.Option("--flip", help="Also see every frame mirrored, and merge both; takes twice the time.")
]
Scales = Annotated[
    str,
    typer.Option(
        "--scales",
        metavar="LIST",
        help="See every frame at these scales, and merge: 1.0,1.3. Time grows with their squares.",
    ),
]


def parse_scales(text: str) -> tuple[float, ...]:
    """``1.0,1.3`` -> numbers. Raises ModelError for anything else."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ModelError(
            f"--scales {text!r} is not understood; expected numbers with commas between them, such as 1.0,1.3"
        ) from error
