"""``limpet models``: what there is to choose from."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from limpet.cli.say import say

LEGEND = "size: parameters; ships: weights are in the package (others: --weights FILE)"


def models_command() -> None:
    """List the models, their sizes and their weights."""
    import torch

    from limpet.models import build_model
    from limpet.registry import entries
    from limpet.weights.store import bundled_weights

    # Narrow enough for 80 columns.
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for heading in ("model", "what it is", "size", "ships"):
        table.add_column(
            heading, no_wrap=heading != "what it is", justify="right" if heading == "size" else "left"
        )
    for entry in entries():
        with torch.device("meta"):
            size = sum(parameter.numel() for parameter in build_model(entry.config()).parameters())
        ships = "yes" if bundled_weights(entry.name) else "-"
        table.add_row(entry.name, entry.summary, f"{size / 1e6:.1f} M", ships)
    Console().print(table)
    say(LEGEND)
