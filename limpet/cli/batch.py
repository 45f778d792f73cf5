"""``limpet batch JOBS --out DIR``: many videos with one command, several at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import TextColumn

from limpet.batch.config import BatchConfig
from limpet.batch.job_settings import JobSettings
from limpet.cli.bundle_options import Bundle, RuntimeName
from limpet.cli.config_options import with_options
from limpet.cli.options import (
    MaxFrames,
    MaxSeconds,
    MemoryBudget,
    MemoryPolicyName,
    OverlayToggle,
    PrecisionName,
    ResizeMask,
    TrackerOptions,
    parse_scales,
)
from limpet.cli.terminal import LateBar, counted, note, notes, say
from limpet.core.config_fields import build

if TYPE_CHECKING:
    from limpet.batch.run_batch import BatchProgress

SOME_FAILED = 1
_TOLD = 10
"""Jobs that failed, of which the reason is printed."""


@with_options(TrackerOptions, BatchConfig)
def batch_command(
    jobs: Annotated[
        str,
        typer.Argument(
            metavar="JOBS",
            help="A folder of videos with masks beside them (dog.mp4 or the folder of frames dog/, and dog.png; "
            "dog@30.png for frame 30), or a list of jobs as CSV or JSON lines.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder of the batch: a folder of results for each job, and a summary."
        ),
    ],
    bundle: Bundle = None,
    runtime: RuntimeName = None,
    precision: PrecisionName = "auto",
    memory: MemoryPolicyName = None,
    memory_budget: MemoryBudget = None,
    resize_mask: ResizeMask = False,
    overlay: OverlayToggle = True,
    max_frames: MaxFrames = None,
    max_seconds: MaxSeconds = None,
    **options: Any,
) -> None:
    """Track many videos, several at once, as limpet track does.

    One that fails does so alone: its reason is in DIR/batch.json and DIR/batch.html, and the exit code is 1. The same
    command goes on with a batch that was stopped or killed; what is done is not done again.
    """
    from limpet.batch.run_batch import run_batch

    own = {
        "bundle": bundle, "runtime": runtime, "precision": precision, "memory": memory, "memory_budget": memory_budget,
        "resize_mask": resize_mask, "overlay": overlay, "max_frames": max_frames, "max_seconds": max_seconds,
    }  # fmt: skip
    settings = build(JobSettings, options | own | {"scales": parse_scales(options["scales"])})
    config = build(BatchConfig, options)
    try:
        with BatchBar() as bar:
            result = run_batch(jobs, out, config, settings=_plain(settings), on_progress=bar)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(f"stopped; the same command goes on with the batch in {out}")
        raise
    notes([f"skipped {line}" for line in result.skipped], rest=f"see {out / 'batch.json'}")
    if result.earlier:
        note(f"{counted(result.earlier, 'job')} had been done before")
    say(f"{result.done} of {counted(result.total, 'job')} done -> {result.folder / 'batch.html'}")
    if not result.complete:
        raise typer.Exit(SOME_FAILED)


class BatchBar(LateBar):
    """A bar over all jobs, and a line for each of the first jobs that fail."""

    def __init__(self) -> None:
        super().__init__(TextColumn("{task.fields[more]}", markup=False))
        self._told = 0

    def __call__(self, progress: BatchProgress) -> None:
        """Show how far a batch is."""
        ended = progress.done + progress.failed
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("jobs", total=progress.total, completed=ended, more="")
        more = f"{progress.frames} frames" + (f", {progress.failed} failed" if progress.failed else "")
        self._bar.update(self._task, completed=ended, more=more)
        if progress.outcome is not None and progress.outcome.status != "done":
            self._tell(progress.name or "", progress.outcome.reason)

    def _tell(self, name: str, reason: str) -> None:
        self._told += 1
        if self._told > _TOLD:
            return
        line = f"{name}: {reason}" if self._told < _TOLD else "more jobs failed; the summary has them all"
        if self._bar.live.is_started:
            self._bar.console.print(
                f"note: {line}", style="yellow", markup=False, highlight=False, emoji=False
            )
        else:
            note(line)


def _plain(settings: JobSettings) -> JobSettings:
    """With text in place of paths, as JSON holds them."""
    return replace(settings, weights=_text(settings.weights), bundle=_text(settings.bundle))


def _text(path: object) -> str | None:
    return None if path is None else str(path)
