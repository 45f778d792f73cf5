"""`limpet eval davis ROOT --split NAME`: score a model, or saved masks, on a folder in DAVIS layout."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from limpet.errors import OutputError
from limpet.files import output_error

if TYPE_CHECKING:
    from limpet.evaluation.davis import Dataset, Sequence
    from limpet.evaluation.protocol import OnFrame
    from limpet.evaluation.scores import Scores
    from limpet.evaluation.tables import Receipt
    from limpet.tracking.tracker import Tracker

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Score a model by the standard protocols."""


@app.command()
def davis(
    root: Annotated[Path, typer.Argument(help="Folder with JPEGImages, Annotations and ImageSets.")],
    split: Annotated[str, typer.Option(help="A list under ImageSets (val, 2017/val), all, or one sequence.")],
    model: Annotated[str, typer.Option(help="The model to run; see: limpet models.")] = "deaot-t",
    weights: Annotated[Path | None, typer.Option(help="Weights file; left out: the bundled one.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    max_size: Annotated[int, typer.Option(help="Limit on the shorter side of what the network sees.")] = 480,
    predictions: Annotated[
        Path | None, typer.Option(help="Score these masks (SEQUENCE/FRAME.png) instead of running a model.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for CSV, JSON and the picture.")] = None,
    resolution: Annotated[str, typer.Option(help="Folder below JPEGImages: 480p, Full-Resolution.")] = "480p",
    save_masks: Annotated[bool, typer.Option("--save-masks", help="Keep the masks in OUT/masks.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write into a folder that has files.")
    ] = False,
) -> None:
    """J and F as DAVIS defines them: the first mask is given, the first and the last frame are not scored."""
    import limpet
    from limpet.evaluation.davis import load_davis
    from limpet.evaluation.protocol import evaluate_predictions, evaluate_tracker
    from limpet.evaluation.tables import Receipt, results_table

    if save_masks and (out is None or predictions is not None):
        raise OutputError(
            "--save-masks keeps the masks of a run in OUT/masks; give --out and no --predictions"
        )
    dataset = load_davis(root, split, resolution)
    tracker = None
    if predictions is None:
        tracker = limpet.load(model, weights=weights, device=device, max_size=max_size)
    if out is not None:
        _prepare(out, overwrite)
    with _progress(dataset) as on_frame:
        if tracker is not None:
            masks = out / "masks" if out and save_masks else None
            scores = evaluate_tracker(tracker, dataset, save_masks=masks, on_frame=on_frame)
        elif predictions is not None:
            scores = evaluate_predictions(predictions, dataset, on_frame=on_frame)
    console = Console()
    console.print(results_table(scores, title=f"{split}: J&F {100 * scores.j_and_f:.1f}"))
    _remarks(console, scores)
    if out is not None:
        command = shlex.join(["limpet", *sys.argv[1:]])
        name = f"{root.resolve().name}, {split}, {resolution}"
        facts = _facts(scores, tracker) if tracker else {}
        _write(scores, out, Receipt(command, name, **facts), split)
        console.print(f"Written to {out}: scores.json, per_sequence.csv, per_object.csv, worst.png")


def _facts(scores: Scores, tracker: Tracker) -> dict[str, Any]:
    """What the receipt says of the run."""
    return {
        "model": tracker.name,
        "weights": tracker.weights_sha256,
        "device": str(tracker.device),
        "frames_per_second": scores.frames_per_second,
    }


def _prepare(out: Path, overwrite: bool) -> None:
    """Make the folder before the work, so that a bad place is known at once."""
    try:
        if out.is_dir() and any(out.iterdir()) and not overwrite:
            raise OutputError(f"{out} has files already; choose another folder or add --overwrite")
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, out) from error


@contextmanager
def _progress(dataset: Dataset) -> Iterator[OnFrame]:
    """A bar on stderr with frames per second and time left; yields what to call after each frame."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TimeRemainingColumn(),
    )
    starts = accumulate((len(sequence) for sequence in dataset), initial=0)
    before = dict(zip((sequence.name for sequence in dataset), starts, strict=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=sum(len(sequence) for sequence in dataset))

        def on_frame(sequence: Sequence, index: int) -> None:
            bar.update(task, description=sequence.name, completed=before[sequence.name] + index + 1)

        yield on_frame


class Speed(ProgressColumn):
    """Frames per second: reading, tracking and scoring together."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} frames/s" if speed else "", style="progress.data.speed")


def _remarks(console: Console, scores: Scores) -> None:
    if scores.frames_per_second:
        console.print(f"{scores.frames_per_second:.2f} frames/s in the tracker ({scores.steps} steps)")
    for note in scores.notes:
        console.print(f"note: {note}", markup=False)


def _write(scores: Scores, out: Path, receipt: Receipt, split: str) -> None:
    from limpet.evaluation.curves import worst_curves, write_curves
    from limpet.evaluation.tables import write_csv, write_json

    write_csv(scores, out)
    write_json(scores, out / "scores.json", receipt)
    several = "the worst three sequences of " if len(scores.frames) > 3 else ""
    write_curves(worst_curves(scores), out / "worst.png", f"J over time: {several}{split}")
