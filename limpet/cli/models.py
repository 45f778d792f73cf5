"""``limpet models``: what there is to choose from."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table


def models_command() -> None:
    """List the models, how large they are, and whose weights ship."""
    import torch

    from limpet.models import DeAOT
    from limpet.registry import entries
    from limpet.weights.store import bundled_weights

    table = Table("model", "what", "parameters", "weights")
    for entry in entries():
        with torch.device("meta"):
            size = sum(parameter.numel() for parameter in DeAOT(entry.config()).parameters())
        ships = "bundled" if bundled_weights(entry.name) else "-"
        table.add_row(entry.name, entry.summary, f"{size / 1e6:.1f} M", ships)
    Console().print(table)
