"""``limpet train``: one stage of training from photos, videos, or both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from limpet.cli.config_options import given, with_options
from limpet.cli.options import (
    EncoderFile,
    Processes,
    Resume,
    RunFolder,
    ScoreSet,
    StartFile,
    StillsPath,
    Threads,
    TrainDevice,
)
from limpet.cli.terminal import notes, say
from limpet.core.config_fields import build
from limpet.training.config import TrainConfig


@with_options(TrainConfig)
def train_command(
    context: typer.Context,
    out: RunFolder,
    stills: StillsPath = None,
    video: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROOT:SPLIT",
            help="Videos with masks: a data set in the layout of DAVIS, YouTube-VOS or MOSE, and a split. May be "
            "repeated. Behind the split may stand ,repeat=A-B (as if named so often, at the start and at the end), "
            ",importance=T and ,merge=P (in the place of --object-importance and --merge-prob).",
        ),
    ] = None,
    encoder: EncoderFile = None,
    start: StartFile = None,
    resume: Resume = False,
    score: ScoreSet = None,
    device: TrainDevice = "auto",
    processes: Processes = 1,
    threads: Threads = 0,
    **settings: Any,
) -> None:
    """Train a model on photos, videos, or both.

    The averaged weights (EMA) are written to weights.safetensors in --out; name them with --weights elsewhere.
    """
    import limpet

    with notes_when_stopped(out):
        result = limpet.train(
            out, build(TrainConfig, settings), stills=stills, videos=video or [], encoder=encoder, start=start,
            score=score, device=device, processes=processes, threads=threads, resume=resume, given=given(context),
            on_notices=lambda lines: notes(lines, rest="that cannot be used", most=20),
        )  # fmt: skip
    if result.sha256 is not None:
        say(f"{result.weights} (sha256 {result.sha256})")


@contextmanager
def notes_when_stopped(out: Path) -> Iterator[None]:
    """After Ctrl-C: what is kept of the run, and how to continue."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        saved = (out / "checkpoint.safetensors").exists()
        interrupt.add_note(
            f"stopped; continue from the last checkpoint in {out} with --resume" if saved
            else "stopped before the first checkpoint; there is nothing to resume"
        )  # fmt: skip
        raise
