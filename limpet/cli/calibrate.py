"""``limpet calibrate``: Platt scaling of the confidence, fitted on labelled video and written into the weights file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from limpet.cli.options import MODEL, DeviceName, ModelName, NetworkSize, WeightsFile
from limpet.cli.terminal import FrameProgress, notes, say
from limpet.core.errors import DataError, OutputError
from limpet.core.files import check_free
from limpet.core.provenance import command_line

if TYPE_CHECKING:
    from limpet.core.calibration import Calibration
    from limpet.data import VideoSequence
    from limpet.evaluation.reliability import Reliability
    from limpet.tracking.tracker import Tracker
    from limpet.training.confidence_calibration import CalibrationClip, ObservedMask

MAX_FRAMES = 200
"""Frames of a video that are scored; of a longer one every n-th is."""


def calibrate_command(
    model: ModelName = None,
    weights: WeightsFile = None,
    video: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROOT:SPLIT",
            help="Labelled videos to calibrate on; training videos are fine. May be repeated.",
        ),
    ] = None,
    stills: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Photos for synthetic clips: a folder with images/ and masks/."),
    ] = None,
    score: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROOT:SPLIT", help="Labelled videos to measure the calibration on. May be repeated."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Weights file to write.", show_default="that of --weights"),
    ] = None,
    clips: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of clips of each kind to calibrate on.")
    ] = 40,
    max_size: NetworkSize = 240,
    device: DeviceName = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing --out.")] = False,
) -> None:
    """Calibrate the confidence of a model to the expected IoU.

    Tracks labelled clips, fits two numbers (Platt scaling) and writes them into the header of the weights file; the
    tensors are not changed. With --score alone the calibration of a file is measured and nothing is written.
    """
    import limpet
    from limpet.data import StillsFolder, training_videos
    from limpet.training.confidence_calibration import calibrate, calibration_clips
    from limpet.training.train_model import root_and_split
    from limpet.weights.zoo import find_weights

    fits = bool(video or stills)
    if not fits and not score:
        raise DataError("there is nothing to calibrate on; give --video ROOT:SPLIT, --stills DIR, or both")
    source = find_weights(model or MODEL, weights)
    target = _target(source, weights, out, overwrite) if fits else source
    folders = [training_videos(*root_and_split(text)) for text in video or []]
    judges = [training_videos(*root_and_split(text)) for text in score or []]
    photos = StillsFolder(stills) if stills else None
    skipped = [line for each in (*folders, *judges, photos) if each for line in each.skipped]
    notes([f"skipped {line}" for line in skipped], rest="that cannot be used", most=20)
    tracker = limpet.load(model, weights=source, device=device, max_size=max_size)
    calibration, tracker.calibration = tracker.calibration, None
    if fits:
        sequences = [sequence for videos in folders for sequence in videos]
        seen = _observe(tracker, calibration_clips(sequences, photos, count=clips), "calibrating")
        calibration = calibrate(seen)
        digest = _write(source, target, calibration.to_text())
        _show("the clips calibrated on", seen, calibration)
        say(f"slope {calibration.slope:g}, offset {calibration.offset:g} -> {target} (sha256 {digest})")
    if judges:
        held = [sequence for videos in judges for sequence in videos]
        _show(" ".join(score or []), _observe(tracker, _whole(held), "scoring"), calibration)


def _target(source: Path, weights: Path | None, out: Path | None, overwrite: bool) -> Path:
    """The file to write, checked before the work. Raises OutputError."""
    if out is None and weights is None:
        raise OutputError("the weights in the package are not changed; name a file to write with --out FILE")
    if out is not None:
        check_free(out, overwrite)
    return out or source


def _write(source: Path, target: Path, text: str) -> str:
    from limpet.core.calibration import FACT
    from limpet.weights.weights_file import write_facts

    command = command_line()
    return write_facts(source, {FACT: text, f"{FACT}_command": command}, target)


def _whole(videos: Sequence[VideoSequence]) -> list[Callable[[], CalibrationClip]]:
    from limpet.training.confidence_calibration import plain_clip

    return [partial(plain_clip, video, MAX_FRAMES) for video in videos]


def _observe(
    tracker: Tracker, makers: Sequence[Callable[[], CalibrationClip]], what: str
) -> list[ObservedMask]:
    from limpet.training.confidence_calibration import observe

    seen: list[ObservedMask] = []
    with FrameProgress(what) as progress:
        for done, make in enumerate(makers, start=1):
            seen += observe(tracker, make())
            progress(done, len(makers))
    return seen


def _show(title: str, seen: Sequence[ObservedMask], calibration: Calibration | None) -> None:
    """Print a reliability table of the confidence, and the error before calibration."""
    from limpet.evaluation.reliability import reliability

    ious = [each.iou for each in seen]
    raw = reliability([each.soft_iou for each in seen], ious)
    now = reliability([calibration(each.soft_iou) for each in seen], ious) if calibration else raw
    Console().print(_table(title, now))
    before = f" (uncalibrated {raw.error:.3f})" if calibration else ", uncalibrated"
    say(
        f"{len(seen)} masks, {now.bad:.0%} of them with an IoU below 0.5; calibration error {now.error:.3f}{before}"
    )
    say(f"probability that such a mask has less confidence than a better one (AUROC): {now.auroc:.3f}")


def _table(title: str, found: Reliability) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("confidence", "masks", "mean confidence", "mean IoU"):
        table.add_column(heading, justify="right")
    for each in found.bins:
        table.add_row(
            f"{each.low:.1f} to {each.high:.1f}", f"{each.count}", f"{each.confidence:.3f}", f"{each.iou:.3f}"
        )
    return table
