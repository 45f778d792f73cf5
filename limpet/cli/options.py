"""The options that several commands share: which model to run, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MODEL = "deaot-t"

ModelName = Annotated[str, typer.Option("--model", metavar="NAME", help="Which model; see: limpet models.")]
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
