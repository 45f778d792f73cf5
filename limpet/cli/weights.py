"""``limpet weights convert``: official checkpoints into limpet's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limpet.cli.say import say
from limpet.errors import OutputError

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Convert weights."""


@app.command()
def convert(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="An official AOT or DeAOT checkpoint (.pth).")
    ],
    model: Annotated[str, typer.Option(metavar="NAME", help="Which model it is of; see: limpet models.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What to write.  [default: NAME.safetensors beside CHECKPOINT]"),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store fp16: half the size.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Turn an official checkpoint into a weights file of limpet.

    Every name and shape is checked; no code in the checkpoint is run.
    """
    import torch

    from limpet.models import build_model
    from limpet.registry import find
    from limpet.weights.files import Weights, load_into, sha256, write_weights
    from limpet.weights.official import read_official

    config = find(model).config()
    target = out if out is not None else checkpoint.parent / f"{model}.safetensors"
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists already; choose another --out or add --overwrite")
    network = build_model(config)
    tensors = read_official(checkpoint)
    built = {n: t for n, t in network.state_dict().items() if n.endswith("relative_position_index")}
    load_into(network, built | tensors, str(checkpoint))
    facts = {"origin": checkpoint.name, "origin_sha256": sha256(checkpoint)}
    dtype = torch.float16 if half else torch.float32
    digest = write_weights(target, Weights(model, network.state_dict(), facts), dtype)
    say(f"{target} (sha256 {digest})")
