"""``limpet weights``: convert official checkpoints, average several files, and describe a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limpet.cli.terminal import notes, say
from limpet.core.files import check_free
from limpet.core.provenance import command_line

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Convert, average or describe weights files."""


@app.command()
def convert(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="An official AOT or DeAOT checkpoint (.pth).")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Model of the checkpoint.", show_default="the one that its tensors fit"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File to write.", show_default="MODEL.safetensors beside CHECKPOINT"
        ),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store as fp16: half the size.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Convert an official checkpoint to a limpet weights file.

    Every name and shape is checked; no code in the checkpoint is run. For checkpoints see: limpet models NAME.
    """
    import torch

    from limpet.weights.convert import convert as convert_checkpoint

    dtype = torch.float16 if half else torch.float32
    command = command_line()
    done = convert_checkpoint(checkpoint, model, out, dtype=dtype, overwrite=overwrite, command=command)
    notes([f"{checkpoint.name}: {line}" for line in done.notes], rest="")
    if model is None:
        say(f"{checkpoint.name} is of {done.model}")
    say(f"{done.path} (sha256 {done.sha256})")


@app.command()
def average(
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="PLACE...",
            help="Weights files, or folders of training runs: finished, stopped or still running.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Average the weights of several runs (a model soup).

    The runs should have begun with the same weights. Of a run's folder, the averaged weights (EMA) of the last
    checkpoint are used; those of a single folder are just written to FILE.
    """
    from limpet.training.model_soup import average_weights
    from limpet.weights.weights_file import write_weights

    check_free(out, overwrite)
    weights = average_weights(places)
    weights.facts["command"] = command_line()
    say(f"{out} (sha256 {write_weights(out, weights)})")


@app.command()
def show(file: Annotated[Path, typer.Argument(metavar="FILE", help="A weights file or checkpoint.")]) -> None:
    """Describe a weights file: model, size, sha256, origin."""
    from limpet.weights.identify import describe_weights

    rows = describe_weights(file)
    width = max(len(heading) for heading, _ in rows)
    for heading, text in rows:
        say(f"{heading:{width}}  {text}")
