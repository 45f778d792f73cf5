"""``limpet track VIDEO --mask FIRST.png``: the masks of every frame from the masks of the first."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limpet.cli.options import (
    MODEL,
    DeviceName,
    Flip,
    ModelName,
    Scales,
    ShorterSide,
    WeightsFile,
    parse_scales,
)
from limpet.cli.progress import FrameProgress
from limpet.cli.say import note, notes, say
from limpet.cli.stop import StopBetweenFrames
from limpet.errors import LimpetError, MaskError, VideoError

if TYPE_CHECKING:
    from limpet.tracking.run import TrackResult


def track_command(
    video: Annotated[
        str,
        typer.Argument(
            metavar="VIDEO", help="A video file, a folder of images, or a pattern such as frame_%05d.jpg."
        ),
    ],
    mask: Annotated[
        Path,
        typer.Option(
            metavar="PNG", help="Mask of the first frame: an indexed PNG whose values are object ids."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of results.  [default: VIDEO's name with -masks]"),
    ] = None,
    add: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FRAME:PNG",
            help="Mask of a later frame, counted from 0: new ids are new objects, known ones are corrected. "
            "May be repeated.",
        ),
    ] = None,
    model: ModelName = MODEL,
    weights: WeightsFile = None,
    device: DeviceName = "auto",
    max_size: ShorterSide = 480,
    precision: Annotated[
        str, typer.Option(metavar="auto|fp32|bf16", help="auto takes bf16 where the processor has it.")
    ] = "auto",
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="first|official|ring|bounded",
            help="Which frames to go on reading; bounded suits long video.  [default: as the model was trained]",
        ),
    ] = None,
    memory_budget: Annotated[
        float | None,
        typer.Option(metavar="MB", help="What the tracker may hold between frames, all objects together."),
    ] = None,
    flip: Flip = False,
    scales: Scales = "1.0",
    resize_mask: Annotated[
        bool, typer.Option("--resize-mask", help="Fit masks of another size to the frames.")
    ] = False,
    overlay: Annotated[bool, typer.Option("--overlay/--no-overlay", help="Write overlay.mp4 too.")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result in DIR.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run in DIR that was stopped or killed.")
    ] = False,
) -> None:
    """Follow objects through a video.

    Writes a mask for each frame (indexed PNG, ids as given), an overlay video and a report. Ctrl-C keeps all
    frames that are done; after it, or after a crash, the same command with --resume goes on.
    """
    import limpet
    from limpet.tracking.run import track
    from limpet.video.earlier import is_blank, is_unfinished

    folder = out if out is not None else default_folder(video)
    later = later_masks(add or [])
    tracker = partial(
        limpet.load,
        model,
        weights=weights,
        device=device,
        max_size=max_size,
        precision=precision,  # type: ignore[arg-type]  # it says so itself when it is none of the three
        memory=memory,
        memory_budget_mb=memory_budget,
        flip=flip,
        scales=parse_scales(scales),
    )
    if resume and is_blank(folder):
        note(f"there is nothing to resume in {folder}; beginning at the first frame")
    with (
        _how_to_go_on(folder, is_unfinished),
        frame_by_frame(Path(video).name, folder) as on_frame,
        _in_words_of_the_command_line(),
    ):
        result = track(
            video, mask, folder, tracker=tracker, add=later, overwrite=overwrite,
            resume=resume, resize_mask=resize_mask, overlay=overlay, on_frame=on_frame,
        )  # fmt: skip
    _tell(result)


@contextmanager
def frame_by_frame(name: str, folder: Path) -> Iterator[Callable[[int, int | None], None]]:
    """What tracking commands have around them: a bar, stops between frames, and words on what is kept.

    Yields what to call after each frame with the frames done and in all.
    """
    progress = FrameProgress(name)
    try:
        with StopBetweenFrames() as stop, progress:

            def on_frame(done: int, total: int | None) -> None:
                progress(done, total)
                stop.frame_done()

            yield on_frame
    except (LimpetError, KeyboardInterrupt) as reason:
        stopped = "stopped; " if isinstance(reason, KeyboardInterrupt) else ""
        if progress.done:
            reason.add_note(f"{stopped}the results of {_frames(progress.done)} are kept in {folder}")
        elif stopped:
            reason.add_note("stopped before the first frame; nothing was written")
        raise


@contextmanager
def _how_to_go_on(folder: Path, is_unfinished: Callable[[Path], bool]) -> Iterator[None]:
    try:
        yield
    except (LimpetError, KeyboardInterrupt) as reason:
        if is_unfinished(folder) and "--resume" not in str(reason) and "--overwrite" not in str(reason):
            reason.add_note("to go on, give the same command with --resume")
        raise


def default_folder(video: str) -> Path:
    """``clip.mp4``, ``clip/`` and ``clip/%05d.jpg`` -> ``clip-masks`` in the current folder."""
    path = Path(video).resolve()
    if not path.exists() and ("%" in path.name or glob.has_magic(path.name)):
        path = path.parent
    name = path.stem if path.is_file() else path.name
    return Path(f"{name or 'video'}-masks")


def later_masks(texts: list[str]) -> dict[int, Path]:
    """``30:other.png`` … -> masks by frame index. Raises MaskError for another form."""
    found: dict[int, Path] = {}
    for text in texts:
        match = re.fullmatch(r"([0-9]+):(.+)", text)
        if match is None:
            raise MaskError(f"--add {text!r} is not understood; expected FRAME:PNG, for instance 30:new.png")
        frame = int(match[1])
        if frame in found:
            raise MaskError(f"--add names frame {frame} twice; draw its objects into one mask")
        found[frame] = Path(match[2])
    return found


@contextmanager
def _in_words_of_the_command_line() -> Iterator[None]:
    try:
        yield
    except MaskError as error:
        raise MaskError(str(error).replace("pass resize_mask=True", "add --resize-mask")) from error


def _tell(result: TrackResult) -> None:
    """The outcome; raises VideoError when a part of what was asked for could not be done."""
    lines = [line for line in (*result.failures, *result.notices) if line not in result.problems]
    notes(lines, rest=f"see {result.folder / 'report.json'}")
    ids = ", ".join(map(str, sorted(result.object_ids)))
    objects = f"object {ids}" if len(result.object_ids) == 1 else f"objects {ids}"
    if result.was_complete:
        say(f"{result.folder} was complete already: {_frames(result.frames)}, {objects}")
        return
    if result.begun_at:
        note(f"went on after {_frames(result.begun_at)} that were done")
    speed = f"{result.frames_per_second:.1f} frames/s"
    say(f"{_frames(result.frames)}, {objects}, {speed} -> {result.folder}")
    if result.look_first:
        say(f"look first: {_first_of(result.look_first)}")
    if result.problems:
        raise VideoError("; ".join(result.problems))


def _first_of(moments: Sequence[str], most: int = 3) -> str:
    more = len(moments) - most
    return "; ".join([*moments[:most], *([f"and {more} more in report.html"] if more > 0 else [])])


def _frames(count: int) -> str:
    return f"{count} frame" if count == 1 else f"{count} frames"
