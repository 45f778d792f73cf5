"""``limpet weights convert``: official checkpoints into limpet's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from limpet.errors import OutputError

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Read and write weights."""


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="An official AOT or DeAOT checkpoint (.pth).")],
    model: Annotated[str, typer.Option(help="Name of the model; see: limpet models.")],
    out: Annotated[Path | None, typer.Option(help="Left out: MODEL.safetensors beside the checkpoint.")] = None,
    half: Annotated[bool, typer.Option("--half", help="Store fp16: half the size.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Check every name and shape of a checkpoint and write it as safetensors. No code in it is run."""
    import torch

    from limpet.models import DeAOT
    from limpet.registry import find
    from limpet.weights.files import Weights, load_into, sha256, write_weights
    from limpet.weights.official import read_official

    target = out if out is not None else checkpoint.with_name(f"{model}.safetensors")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists already; choose another --out or add --overwrite")
    network = DeAOT(find(model).config())
    tensors = read_official(checkpoint)
    built = {n: t for n, t in network.state_dict().items() if n.endswith("relative_position_index")}
    load_into(network, built | tensors, str(checkpoint))
    facts = {"origin": checkpoint.name, "origin_sha256": sha256(checkpoint)}
    dtype = torch.float16 if half else torch.float32
    digest = write_weights(target, Weights(model, network.state_dict(), facts), dtype)
    Console().print(f"{target} (sha256 {digest})", markup=False, highlight=False)
