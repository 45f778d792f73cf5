"""The ``limpet`` command. Errors that a user can fix are one sentence and exit code 2, never a traceback."""

from __future__ import annotations

import errno
import inspect
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from limpet import __version__
from limpet.cli import evaluate, project_commands, vot, weights
from limpet.cli.batch import batch_command
from limpet.cli.bench import bench_command
from limpet.cli.calibrate import calibrate_command
from limpet.cli.compare_bundle import parity_command
from limpet.cli.convert import convert_command
from limpet.cli.demo import demo_command
from limpet.cli.distill import distill_command
from limpet.cli.export import export_command
from limpet.cli.frame import frame_command
from limpet.cli.models import models_command
from limpet.cli.options import RENAMED_OPTIONS
from limpet.cli.project_import import import_command
from limpet.cli.segment import segment_command
from limpet.cli.serve import serve_command
from limpet.cli.study import study_command
from limpet.cli.terminal import error, note, stop_on_sigterm
from limpet.cli.track import track_command
from limpet.cli.train import train_command
from limpet.cli.train_clicks import train_clicks_command
from limpet.cli.visualise import visualise_command
from limpet.core.errors import LimpetError
from limpet.core.files import impossible_path, output_error

NO_TORCH = (
    "this needs torch, which is not installed: pip install torch; an exported tracker runs without it: "
    "limpet track VIDEO --mask PNG --bundle DIR"
)

BAD_INPUT = 2
STOPPED = 130
"""What shells call a command that Ctrl-C ended: 128 and the signal's number."""
NOT_OUR_FAULT = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors of the disk that no part of limpet has described in its own words."""
PATHS = ("--out", "--mask", "--weights", "--bundle", "--list", "--videos", "--stills", "--encoder", "--from")
OUT_OF_MEMORY = (
    "there is not enough memory; reduce --max-size (in training: --size and --batch), close other programs, or "
    "choose another --device"
)


class Commands(TyperGroup):
    """All commands. What they raise becomes a sentence and an exit code; the notes of an error follow it."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with _exit_codes():
            _refuse_empty(args[1] if len(args) > 1 else extra.get("args", ()))
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        with _exit_codes():
            return super().invoke(ctx)


def _refuse_empty(words: Sequence[str]) -> None:
    """Raises LimpetError for an option of a path that is empty, as where a variable of a script is not set."""
    for option, value in pairwise(words):
        if not value and option in PATHS:
            raise LimpetError(f"{option} is empty; expected a path (is a variable of your script not set?)")


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:
        _tell_notes(interrupt, otherwise="stopped")
        raise typer.Exit(STOPPED) from interrupt
    except Exception as problem:
        sentence = _sentence(problem)
        if sentence is None:  # a defect of limpet: its traceback is needed
            raise
        error(sentence)
        _tell_notes(problem)
        raise typer.Exit(BAD_INPUT) from problem


app = typer.Typer(
    cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich"
)  # fmt: skip


@app.callback(invoke_without_command=True)
def _limpet(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Semi-supervised video object segmentation: propagate the masks of one frame through a whole video."""
    if version:
        print(f"limpet {__version__}")
        raise typer.Exit


app.command("track")(track_command)
app.command("batch")(batch_command)
app.command("frame")(frame_command)
app.command("segment")(segment_command)
app.command("demo")(demo_command)
app.command("visualise")(visualise_command)
app.add_typer(evaluate.app, name="eval")
app.add_typer(vot.app, name="vot")
app.command("train")(train_command)
app.command("train-clicks")(train_clicks_command)
app.command("distill")(distill_command)
app.command("study")(study_command)
app.command("calibrate")(calibrate_command)
app.command("bench")(bench_command)
app.command("models")(models_command)
app.command("convert")(convert_command)
app.command("export")(export_command)
app.command("parity")(parity_command)
app.add_typer(weights.app, name="weights")
project_commands.app.command("import")(import_command)
app.add_typer(project_commands.app, name="project")
app.command("serve")(serve_command)


def _unwrap_help(group: typer.Typer) -> None:
    """Let the help of all commands flow: what wraps it keeps the line breaks of their docstrings."""
    for command in group.registered_commands:
        paragraphs = inspect.getdoc(command.callback or _unwrap_help) or ""
        command.help = "\n\n".join(" ".join(part.split()) for part in paragraphs.split("\n\n"))
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            _unwrap_help(inner.typer_instance)


_unwrap_help(app)


def main() -> None:
    """Run the command line."""
    if isinstance(
        sys.stdout, io.TextIOWrapper
    ):  # a file name that this terminal cannot show must not stop a run
        sys.stdout.reconfigure(errors="backslashreplace")
    if not os.environ.get("COLUMNS", "80").isdecimal() or int(os.environ.get("COLUMNS", "80")) < 1:
        del os.environ["COLUMNS"]  # nothing would be printed in so little room
    stop_on_sigterm()
    app()


def _sentence(problem: Exception) -> str | None:
    """The sentence for an error that a user can fix; None for any other."""
    if isinstance(problem, LimpetError):
        return problem.command_line_message
    if hasattr(problem, "format_message"):  # the command line itself was not understood
        return _usage(problem)
    if isinstance(problem, ModuleNotFoundError) and (problem.name or "").partition(".")[0] == "torch":
        return NO_TORCH
    if _is_out_of_memory(problem):
        return OUT_OF_MEMORY
    if not isinstance(problem, OSError):
        return None
    if problem.errno in NOT_OUR_FAULT:
        return str(output_error(problem, Path(problem.filename or "a file")))
    return impossible_path(problem)


def _usage(problem: Any) -> str | None:
    """What is wrong with the words of a command; None where typer shows the help instead."""
    if type(problem).__name__ == "NoArgsIsHelpError":
        return None
    option = getattr(problem, "option_name", None)
    if option in RENAMED_OPTIONS:
        return f"{option} is now called {RENAMED_OPTIONS[option]}"
    text = problem.format_message().strip().rstrip(".")
    if type(problem).__name__ == "MissingParameter" and problem.param is not None:
        about = (getattr(problem.param, "help", None) or "").rstrip(".")
        text += f": {about}" if about else ""
    path = problem.ctx.command_path if problem.ctx is not None else "limpet"
    return f"{text}; see: {path} --help"


def _tell_notes(problem: BaseException, otherwise: str = "") -> None:
    for line in getattr(problem, "__notes__", [otherwise] if otherwise else []):
        note(line)


def _is_out_of_memory(problem: Exception) -> bool:
    """Whether it is Python's, a GPU's or the CPU allocator's way to say so.

    Torch may not even be imported, and its CPU allocator raises a RuntimeError that is known by its words alone.
    """
    return (
        isinstance(problem, MemoryError)
        or type(problem).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in str(problem)
        or "not enough memory" in str(problem)
        or "Insufficient memory" in str(problem)  # OpenCV's
    )
