"""``limpet eval davis ROOT --split NAME``: score a model, or saved masks, by the protocol of DAVIS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from limpet.cli.config_options import with_options
from limpet.cli.options import TrackerOptions, load_arguments
from limpet.cli.terminal import FrameProgress, notes, say
from limpet.core.errors import OutputError
from limpet.core.files import output_error
from limpet.core.provenance import command_line

if TYPE_CHECKING:
    from limpet.data import VideoSequence, VideoSet
    from limpet.evaluation.protocol import OnFrame
    from limpet.evaluation.score_tables import Receipt
    from limpet.evaluation.scores import Scores

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Score a model on a data set."""


@app.command()
@with_options(TrackerOptions)
def davis(
    root: Annotated[
        Path,
        typer.Argument(
            metavar="ROOT",
            help="The folder of the data set: DAVIS (JPEGImages, Annotations, ImageSets), YouTube-VOS, or plain "
            "folders (images, masks).",
        ),
    ],
    split: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Split: of DAVIS a list in ImageSets (val, 2017/val), of YouTube-VOS a folder (train, valid), all, or "
            "the name of one sequence.",
        ),
    ],
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Score the masks DIR/SEQUENCE/FRAME.png instead of running a model."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the scores (CSV, JSON) and a plot of J over time."),
    ] = None,
    resolution: Annotated[
        str, typer.Option(metavar="NAME", help="Folder below JPEGImages: 480p, Full-Resolution.")
    ] = "480p",
    save_masks: Annotated[
        bool, typer.Option("--save-masks", help="Keep the model's masks in masks/ of --out.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write into a folder that has files.")
    ] = False,
    **tracker_options: Any,
) -> None:
    """Measure J and F on a labelled data set: DAVIS, YouTube-VOS, MOSE, LVOS or plain folders.

    The semi-supervised protocol of DAVIS: the mask of the first frame is given; the first and the last frame are not
    scored.
    """
    import limpet
    from limpet.data import evaluation_videos
    from limpet.evaluation.protocol import evaluate_predictions, evaluate_tracker
    from limpet.evaluation.score_tables import Receipt, results_table

    if save_masks and (out is None or predictions is not None):
        raise OutputError(
            "--save-masks keeps the masks of a run in OUT/masks; give --out and no --predictions"
        )
    dataset = evaluation_videos(root, split, resolution)
    tracker = None
    if predictions is None:
        tracker = limpet.load(**load_arguments(tracker_options))
    if out is not None:
        _prepare(out, overwrite)
    with _progress(dataset) as on_frame:
        if tracker is not None:
            masks = out / "masks" if out and save_masks else None
            scores = evaluate_tracker(tracker, dataset, save_masks=masks, on_frame=on_frame)
        elif predictions is not None:
            scores = evaluate_predictions(predictions, dataset, on_frame=on_frame)
    Console().print(results_table(scores, title=f"{split}: J&F {100 * scores.j_and_f:.1f}"))
    _remarks(scores)
    if out is not None:
        command = command_line()
        name = f"{root.resolve().name}, {split}, {resolution}"
        receipt = Receipt(command, name)
        if tracker is not None:
            receipt = replace(
                receipt,
                model=tracker.name,
                weights=tracker.weights_sha256,
                device=str(tracker.device),
                frames_per_second=scores.frames_per_second,
            )
        _write(scores, out, receipt, split)
        say(f"written to {out}: scores.json, per_sequence.csv, per_object.csv, worst.png")


def _prepare(out: Path, overwrite: bool) -> None:
    """Make the folder before the work, so that an unusable path is known at once."""
    try:
        if out.is_dir() and any(out.iterdir()) and not overwrite:
            raise OutputError(f"{out} has files already; choose another folder or add --overwrite")
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, out) from error


@contextmanager
def _progress(dataset: VideoSet) -> Iterator[OnFrame]:
    """A bar over all sequences; yields what to call after each frame."""
    lengths = [len(sequence) for sequence in dataset]
    names = [sequence.name for sequence in dataset]
    before = dict(zip(names, accumulate(lengths, initial=0), strict=False))
    with FrameProgress() as progress:

        def on_frame(sequence: VideoSequence, index: int) -> None:
            progress(before[sequence.name] + index + 1, sum(lengths), sequence.name)

        yield on_frame


def _remarks(scores: Scores) -> None:
    if scores.frames_per_second:
        say(f"{scores.frames_per_second:.2f} frames/s in the tracker ({scores.steps} steps)")
    notes(scores.notes, rest="see the notes in scores.json", most=20)


def _write(scores: Scores, out: Path, receipt: Receipt, split: str) -> None:
    from limpet.evaluation.score_curves import worst_curves, write_curves
    from limpet.evaluation.score_tables import write_csv, write_json

    write_csv(scores, out)
    write_json(scores, out / "scores.json", receipt)
    several = "the worst three sequences of " if len(scores.frames) > 3 else ""
    write_curves(worst_curves(scores), out / "worst.png", f"J over time: {several}{split}")
