"""``limpet track VIDEO --mask FIRST.png``: propagate the masks of the first frame through a video."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limpet.cli.bundle_options import Bundle, RuntimeName, exported_tracker
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
    load_arguments,
)
from limpet.cli.terminal import BetweenFrames, between_frames, counted, note, notes, say
from limpet.core.errors import LimpetError, MaskError, VideoError

if TYPE_CHECKING:
    from limpet.tracking.track_video import TrackResult


@with_options(TrackerOptions)
def track_command(
    context: typer.Context,
    video: Annotated[
        str,
        typer.Argument(
            metavar="VIDEO",
            help="A video file, a folder of images, or a pattern such as frame_%05d.jpg. Or a stream: camera:0, "
            "rtsp://…, http://…, udp://…, tcp://…, a named pipe, or - for standard input.",
        ),
    ],
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG",
            help="Mask of the first frame: an indexed PNG whose values are object ids, or a file of another program "
            "that has masks of frame 0 (docs/formats.md). Without it, tracking begins at the first frame of --add.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of results.", show_default="VIDEO's name with -masks"),
    ] = None,
    add: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FRAME:PNG",
            help="Mask of a later frame, counted from 0: new ids are new objects, those of known objects are "
            "corrections. May be repeated.",
        ),
    ] = None,
    bundle: Bundle = None,
    runtime: RuntimeName = None,
    precision: PrecisionName = "auto",
    memory: MemoryPolicyName = None,
    memory_budget: MemoryBudget = None,
    resize_mask: ResizeMask = False,
    overlay: OverlayToggle = True,
    live: Annotated[
        str | None,
        typer.Option(
            metavar="drop|block",
            help="For a stream. drop: the newest frame is tracked and others are dropped; block: all frames are "
            "tracked and the source waits.",
            show_default="drop for cameras, rtsp, rtmp, udp and srt",
        ),
    ] = None,
    max_frames: MaxFrames = None,
    max_seconds: MaxSeconds = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result in DIR.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a run in DIR that was stopped or killed.")
    ] = False,
    **tracker_options: Any,
) -> None:
    """Propagate the masks of the first frame through a video.

    Writes a mask for each frame (indexed PNG, ids as given), an overlay video and a report. Ctrl-C keeps all
    frames that are done; after it, or after a crash, the same command with --resume continues. Ctrl-C is also the way
    to end a live stream.
    """
    import limpet
    from limpet.results.run_folder import is_blank
    from limpet.tracking.track_video import track
    from limpet.video.sources import find_source

    if mask is None and not add:
        raise MaskError(
            "there is no mask to begin with; give that of the first frame as --mask PNG, or that of a later frame as "
            "--add FRAME:PNG; see: limpet track --help"
        )
    source = find_source(video)
    name = source.name if source else Path(video).name
    folder = out or (stream_folder(name) if source else default_folder(video))
    later = later_masks(add or [])
    exported = exported_tracker(context, bundle, runtime, precision, sorted(later)[mask is None :])
    tracker = exported or partial(
        limpet.load,
        precision=precision,  # type: ignore[arg-type]  # load says so itself when it is none of the three
        memory=memory,
        memory_budget_mb=memory_budget,
        **load_arguments(tracker_options),
    )
    if resume and not (source or overwrite) and is_blank(folder):
        note(f"there is nothing to resume in {folder}; starting at the first frame")
    with frame_by_frame(name, folder) as on_frame:
        result = track(
            source or video, mask, folder, tracker=tracker, add=later, overwrite=overwrite,
            resume=resume, resize_mask=resize_mask, overlay=overlay, live=live, max_frames=max_frames,
            max_seconds=max_seconds, on_frame=on_frame, on_wait=on_frame.waiting,
        )  # fmt: skip
    _tell(result)


@contextmanager
def frame_by_frame(name: str, folder: Path) -> Iterator[BetweenFrames]:
    """A progress bar, interrupts between frames, and notes on what is kept after an error or an interrupt."""
    from limpet.results.run_folder import is_unfinished, masks_from

    between = None
    try:
        with between_frames(name) as between:
            yield between
    except (LimpetError, KeyboardInterrupt) as reason:
        stopped = "stopped; " if isinstance(reason, KeyboardInterrupt) else ""
        kept = len(masks_from(folder, 0)) if between is not None and between.done else 0
        if kept:
            reason.add_note(f"{stopped}the results of {counted(kept, 'frame')} are kept in {folder}")
            if is_unfinished(folder):
                reason.add_note("to continue, give the same command with --resume")
        elif between is not None and between.done:
            reason.add_note(
                f"{stopped}{folder} is gone, and the results of {counted(between.done, 'frame')} with it"
            )
        elif stopped:
            reason.add_note("stopped before the first frame was tracked; nothing was written")
        raise


def default_folder(video: str) -> Path:
    """``clip.mp4``, ``clip/`` and ``clip/%05d.jpg`` -> ``clip-masks`` in the current folder."""
    path = Path(video).resolve()
    if not path.exists() and ("%" in path.name or glob.has_magic(path.name)):
        path = path.parent
    name = path.stem if path.is_file() else path.name
    return Path(f"{name or 'video'}-masks")


def stream_folder(name: str) -> Path:
    """``rtsp://camera.local/live`` -> ``rtsp-camera.local-live-masks`` in the current folder."""
    return Path(f"{re.sub(r'[^0-9A-Za-z_.]+', '-', name).strip('-.')}-masks")


def later_masks(texts: list[str]) -> dict[int, Path]:
    """``30:other.png`` … -> masks by frame index. Raises MaskError for another form."""
    found: dict[int, Path] = {}
    for text in texts:
        match = re.fullmatch(r"([0-9]+):(.+)", text)
        if match is None:
            raise MaskError(f"--add is {text!r}; expected FRAME:PNG, for instance 30:new.png")
        frame = int(match[1])
        if frame in found:
            raise MaskError(f"--add names frame {frame} twice; draw its objects into one mask")
        found[frame] = Path(match[2])
    return found


def _tell(result: TrackResult) -> None:
    """Print the outcome. Raises VideoError when a part of the task could not be done."""
    kept_up = result.stream.sentence() if result.stream else None
    told = {*result.problems, kept_up}
    lines = [line for line in (*result.failures, *result.notices) if line not in told]
    notes(lines, rest=f"see {result.folder / 'report.json'}")
    ids = ", ".join(map(str, sorted(result.object_ids)))
    objects = f"object {ids}" if len(result.object_ids) == 1 else f"objects {ids or 'none'}"
    if result.was_complete and not result.problems:
        say(f"{result.folder} was complete already: {counted(result.frames, 'frame')}, {objects}")
        return
    if result.was_complete:
        note(
            f"there is nothing to resume in {result.folder}: the run reached its end, {counted(result.frames, 'frame')}"
        )
        raise VideoError("; ".join(result.problems))
    if result.begun_at:
        note(f"continued after {counted(result.begun_at, 'frame')} that were done")
    speed = f"{result.frames_per_second:.1f} frames/s"
    streamed = f", {kept_up}" if kept_up else ""
    say(f"{counted(result.frames, 'frame')}, {objects}, {speed}{streamed} -> {result.folder}")
    if result.look_first:
        say(f"look first: {_first_of(result.look_first)}")
    if result.problems:
        raise VideoError("; ".join(result.problems))


def _first_of(moments: Sequence[str], most: int = 3) -> str:
    more = len(moments) - most
    return "; ".join([*moments[:most], *([f"and {more} more in report.html"] if more > 0 else [])])
