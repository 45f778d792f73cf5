"""``limpet project``: a video whose masks a person edits, one subcommand per edit."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limpet.cli.config_options import with_options
from limpet.cli.options import ResizeMask, TrackerOptions, load_arguments
from limpet.cli.terminal import between_frames, counted, note, notes, say
from limpet.core.errors import LimpetError, MaskError, ProjectError

if TYPE_CHECKING:
    from limpet.project import Project

app = typer.Typer(no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The project's folder.")]
Frame = Annotated[int, typer.Argument(metavar="FRAME", min=0, help="A frame, counted from 0.")]
Objects = Annotated[
    list[int] | None, typer.Option("--object", metavar="ID", help="Only this object. May be repeated.")
]


@app.callback()
def _group() -> None:
    """Edit the masks of a video: correct, propagate, undo, lock.

    Each edit is saved at once.
    """


@app.command()
def new(
    folder: Folder,
    video: Annotated[
        str, typer.Argument(metavar="VIDEO", help="A video file, a folder of images, or a pattern.")
    ],
) -> None:
    """Make a project in a new folder. The video stays where it is."""
    import limpet

    project = limpet.Project.create(folder, video)
    height, width = project.size
    say(f"{folder}: {project.frame_count or 'unknown'} frames of {height}x{width}; next: limpet project add")


@app.command()
def add(
    folder: Folder,
    frame: Frame,
    mask: Annotated[Path, typer.Argument(metavar="PNG", help="Indexed PNG; its ids are the new objects.")],
    name: Annotated[
        list[str] | None, typer.Option(metavar="ID=NAME", help="Name of an object. May be repeated.")
    ] = None,
    resize_mask: ResizeMask = False,
) -> None:
    """Add new objects at a frame."""
    project = open_project(folder)
    project.add(frame, mask, parse_names(name or []), resize_mask=resize_mask)
    tell_edit(project)
    _hint(mask)


@app.command()
def remove(
    folder: Folder,
    object_id: Annotated[int, typer.Argument(metavar="ID", help="Id of the object.")],
    include_locked: Annotated[
        bool, typer.Option("--include-locked", help="Remove it from locked frames too.")
    ] = False,
) -> None:
    """Remove an object from all frames."""
    project = open_project(folder)
    project.remove(object_id, include_locked)
    tell_edit(project)


@app.command()
def correct(
    folder: Folder,
    frame: Frame,
    mask: Annotated[
        Path | None, typer.Argument(metavar="PNG", help="The corrected mask of the frame.")
    ] = None,
    absent: Annotated[
        bool, typer.Option("--absent", help="Instead of PNG: the objects are not visible in this frame.")
    ] = False,
    objects: Objects = None,
    resize_mask: ResizeMask = False,
) -> None:
    """Correct the mask of one frame; limpet project propagate updates the others."""
    if (mask is None) != absent:
        raise MaskError("give either the corrected mask as PNG, or --absent")
    project = open_project(folder)
    project.correct(frame, mask, objects, resize_mask=resize_mask)
    tell_edit(project)
    if mask is not None:
        _hint(mask)


@app.command()
@with_options(TrackerOptions)
def propagate(
    folder: Folder,
    forwards: Annotated[
        int | None, typer.Option(metavar="FRAME", help="From this key frame forwards to the next ones.")
    ] = None,
    backwards: Annotated[
        int | None, typer.Option(metavar="FRAME", help="From this key frame backwards to the previous ones.")
    ] = None,
    between: Annotated[
        tuple[int, int] | None, typer.Option(metavar="A B", help="Between two key frames, from both sides.")
    ] = None,
    to: Annotated[
        int | None, typer.Option(metavar="FRAME", help="Last frame of --forwards or --backwards.")
    ] = None,
    objects: Objects = None,
    **tracker_options: Any,
) -> None:
    """Propagate the masks of key frames: by default to all frames that are empty or stale."""
    import limpet

    ways = [way for way in (forwards, backwards, between) if way is not None]
    if len(ways) > 1:
        raise LimpetError("give only one of --forwards, --backwards and --between")
    if (to is not None and (not ways or between is not None)) or (objects and not ways):
        raise LimpetError("--to needs --forwards or --backwards, and --object one of those or --between")
    project = open_project(folder)
    tracker = limpet.load(**load_arguments(tracker_options))
    with between_frames(folder.name) as on_frame:
        if forwards is not None:
            outcome = project.propagate_forwards(tracker, forwards, to, objects, on_frame)
        elif backwards is not None:
            outcome = project.propagate_backwards(tracker, backwards, to, objects, on_frame)
        elif between is not None:
            outcome = project.propagate_between(tracker, *between, objects, on_frame)
        else:
            outcome = project.propagate(tracker, on_frame)
    notes(
        [f"frame {k} could not be decoded and repeats its neighbour" for k in outcome.undecoded],
        "undecoded too",
    )
    if outcome.frames:
        tell_edit(project)
    else:
        say("nothing to do: no frame there is empty, stale or free to change")


@app.command()
def lock(
    folder: Folder,
    first: Frame,
    last: Annotated[int | None, typer.Argument(metavar="LAST", help="Last frame of the range.")] = None,
) -> None:
    """Lock frames: propagation does not overwrite them, and they count as key frames."""
    project = open_project(folder)
    project.lock(first, last)
    tell_edit(project)


@app.command()
def unlock(
    folder: Folder,
    first: Frame,
    last: Annotated[int | None, typer.Argument(metavar="LAST", help="Last frame of the range.")] = None,
) -> None:
    """Unlock frames."""
    project = open_project(folder)
    project.unlock(first, last)
    tell_edit(project)


@app.command()
def undo(folder: Folder) -> None:
    """Undo the last edit."""
    project = open_project(folder)
    edit = project.undo()
    say(f"undone: {edit.kind} {edit.what}; {project.position} of {len(project.edits)} edits count")


@app.command()
def redo(folder: Folder) -> None:
    """Redo the edit that was undone last."""
    project = open_project(folder)
    edit = project.redo()
    say(f"redone: {edit.kind} {edit.what}; {project.position} of {len(project.edits)} edits count")


@app.command()
def status(folder: Folder) -> None:
    """Show the objects, frames and edits of a project, and what is wrong with it."""
    project = open_project(folder)
    lost = project.lost_masks()
    notes([*project.problems, *lost.values()], "missing or damaged too")
    names = ", ".join(f"{i} ({name})" if name else str(i) for i, name in project.objects.items())
    say(f"objects: {names or 'none'}")
    found: dict[str, array[int]] = {}  # a project may have millions of frames
    for frame, kind in project.statuses():
        if frame in lost:
            kind = "unreadable" if kind in ("corrected", "locked", "unreadable") else "stale"
        found.setdefault(str(kind), array("q")).append(frame)
    for word, frames in found.items():
        say(f"{word}: {listed(frames)}")
    for number, edit in enumerate(project.edits):
        text = f"{edit.kind} {edit.what}" + ("" if edit.complete else " (stopped)")
        say(f"edit {edit.number}: {text}" + (" [undone]" if number >= project.position else ""))


@app.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of results.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result in DIR.")] = False,
    overlay: Annotated[bool, typer.Option("--overlay/--no-overlay", help="Write overlay.mp4.")] = True,
) -> None:
    """Write masks, overlay video and report, as limpet track does."""
    project = open_project(folder)
    with between_frames(folder.name) as on_frame:
        result = project.export(out, overwrite=overwrite, overlay=overlay, on_frame=on_frame)
    notes(result.notices, f"see {out / 'report.json'}")
    say(f"{counted(result.frames, 'frame')} -> {result.folder}")
    if result.problems:
        raise ProjectError(f"the result is not complete: {'; '.join(result.problems)}")


@app.command()
def tidy(
    folder: Folder,
    keep: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Discard all but the last N edits.", show_default="keep all"),
    ] = None,
) -> None:
    """Delete files that no edit uses any more; with --keep, discard old edits first."""
    project = open_project(folder)
    done = project.tidy(keep)
    say(f"{done.edits} edits discarded, {done.files} files removed, {done.nbytes / 1e6:.1f} MB freed")


@app.command()
def video(
    folder: Folder,
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="The new path.")],
) -> None:
    """Set the path of the video after it was moved."""
    project = open_project(folder)
    project.set_video(video)
    say(f"{folder} refers to {video}")


@app.command()
def diff(
    folder: Folder, other: Annotated[Path, typer.Argument(metavar="OTHER", help="Another project.")]
) -> None:
    """List the frames whose mask or status differs between two projects."""
    one, two = open_project(folder), open_project(other)
    differing: dict[str, list[int]] = {"mask": [], "status": []}
    for frame, what in one.differences(two):
        differing[what].append(frame)
    for what, frames in differing.items():
        say(f"{what} differs: {listed(frames)}")


def open_project(folder: Path) -> Project:
    """The project in ``folder``. Raises ProjectError if there is none."""
    import limpet

    return limpet.Project.open(folder)


def tell_edit(project: Project) -> None:
    """Say what the last edit was, and whether frames wait to be propagated."""
    edit = project.edits[-1]
    say(f"edit {edit.number}: {edit.kind} {edit.what}")
    counts = Counter(kind for _, kind in project.statuses())
    waiting = counts["stale"] + counts["empty"]
    if edit.kind != "propagate" and waiting:
        be = "is" if waiting == 1 else "are"
        update = f"update {'it' if waiting == 1 else 'them'} with: limpet project propagate {project.path}"
        note(f"{counted(waiting, 'frame')} {be} stale or empty; {update}")


def _hint(mask: Path) -> None:
    """Say what is odd about a mask that was taken."""
    from limpet.core.mask_hints import mask_hints
    from limpet.core.masks import read_mask

    notes(mask_hints(read_mask(mask), str(mask)), "the mask can be replaced with limpet project correct")


def parse_names(texts: list[str]) -> dict[int, str]:
    """``3=cat`` … -> names by id. Raises MaskError for another form."""
    found: dict[int, str] = {}
    for text in texts:
        number, _, name = text.partition("=")
        if not number.isascii() or not number.isdigit() or not name:
            raise MaskError(f"--name is {text!r}; expected ID=NAME, for instance 3=cat")
        found[int(number)] = name
    return found


def listed(frames: Sequence[int]) -> str:
    """``3 frames: 1-2, 7``."""
    from limpet.project.project import spans

    count = counted(len(frames), "frame")
    return f"{count}: {spans(frames)}" if frames else count
