"""The ``limpet`` command. Errors that a user can mend are one sentence and exit code 2, never a traceback."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from limpet import __version__
from limpet.cli import evaluate, weights
from limpet.cli.demo import demo_command
from limpet.cli.models import models_command
from limpet.cli.track import track_command
from limpet.cli.train import train_command
from limpet.errors import LimpetError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def _limpet(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    """Holds on to objects in video: masks of every frame from the masks of one."""
    if version:
        print(f"limpet {__version__}")
        raise typer.Exit


app.command("track")(track_command)
app.command("demo")(demo_command)
app.add_typer(evaluate.app, name="eval")
app.command("train")(train_command)
app.command("models")(models_command)
app.add_typer(weights.app, name="weights")


def main() -> None:
    """Run the command line."""
    try:
        app()
    except LimpetError as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        Console(stderr=True).print("stopped; what was written so far is whole", markup=False)
        sys.exit(130)
