"""``limpet demo``: the clip that ships with the package, tracked with the weights that ship with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from limpet.cli.progress import frame_progress


def demo_command(
    out: Annotated[Path, typer.Option(help="Folder of results.")] = Path("demo-result"),
    model: Annotated[str, typer.Option(help="Name of the model; see: limpet models.")] = "deaot-t",
    weights: Annotated[Path | None, typer.Option(help="Weights file; left out: the bundled one.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result.")] = False,
) -> None:
    """Follow an astronaut, a cat and a cup, and score the result against the exact masks."""
    import limpet
    from limpet.demo.clip import OBJECT_NAMES
    from limpet.demo.run import run_demo

    tracker = limpet.load(model, weights=weights, device=device)
    info = {"model": model, "weights_sha256": tracker.weights_sha256}
    with frame_progress("demo clip") as on_frame:
        result = run_demo(out, tracker, overwrite=overwrite, info=info, on_frame=on_frame)
    scores = result.scores
    table = Table("object", "J", "F", "J&F")
    for item in scores.objects:
        name = OBJECT_NAMES[item.object_id]
        table.add_row(name, *(f"{100 * value:.1f}" for value in (item.j.mean, item.f.mean, item.j_and_f)))
    table.add_section()
    table.add_row("all", *(f"{100 * value:.1f}" for value in (scores.j_mean, scores.f_mean, scores.j_and_f)))
    console = Console()
    console.print(table)
    for notice in result.notices:
        console.print(f"note: {notice}", style="yellow", markup=False)
    speed = f"{scores.frames_per_second:.1f} frames/s in the tracker; " if scores.frames_per_second else ""
    console.print(f"{speed}look at {result.overlay or result.folder} and {result.folder / 'report.html'}", markup=False)
