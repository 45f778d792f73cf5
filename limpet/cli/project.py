"""``limpet project``: the editable job, one subcommand an edit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limpet.cli.project_edit import Folder, Objects, opened, tell_edit
from limpet.cli.propagate import propagate_command
from limpet.cli.terminal import FrameProgress, StopBetweenFrames, notes, say
from limpet.core.errors import MaskError

app = typer.Typer(no_args_is_help=True)

Frame = Annotated[int, typer.Argument(metavar="FRAME", min=0, help="A frame, counted from 0.")]
Resize = Annotated[bool, typer.Option("--resize-mask", help="Fit a mask of another size to the frame.")]


@app.callback()
def _group() -> None:
    """Edit any frame of a tracked video.

    Follow from there, undo, and lock what is right.
    """


@app.command()
def new(
    folder: Folder,
    video: Annotated[
        str, typer.Argument(metavar="VIDEO", help="A video file, a folder of images, or a pattern.")
    ],
) -> None:
    """Begin a project in a new folder. The video stays where it is and is referred to."""
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
        list[str] | None, typer.Option(metavar="ID=NAME", help="What an object is called.")
    ] = None,
    resize_mask: Resize = False,
) -> None:
    """Bring in new objects at a frame."""
    with opened(folder) as project:
        project.add(frame, mask, _names(name or []), resize_mask=resize_mask)
    tell_edit(project)


@app.command()
def remove(
    folder: Folder,
    object_id: Annotated[int, typer.Argument(metavar="ID", help="Which object.")],
    include_locked: Annotated[bool, typer.Option("--include-locked", help="From locked frames too.")] = False,
) -> None:
    """Take an object out of every frame."""
    with opened(folder) as project:
        project.remove(object_id, include_locked)
    tell_edit(project)


@app.command()
def correct(
    folder: Folder,
    frame: Frame,
    mask: Annotated[Path | None, typer.Argument(metavar="PNG", help="What is right in the frame.")] = None,
    absent: Annotated[
        bool, typer.Option("--absent", help="Instead of PNG: it is not to be seen there.")
    ] = False,
    objects: Objects = None,
    resize_mask: Resize = False,
) -> None:
    """Say what is right in one frame, of all objects or of some; other frames follow with propagate."""
    if (mask is None) != absent:
        raise MaskError("give either the corrected mask as PNG, or --absent")
    with opened(folder) as project:
        project.correct(frame, mask, objects, resize_mask=resize_mask)
    tell_edit(project)


app.command("propagate")(propagate_command)


@app.command()
def lock(
    folder: Folder,
    first: Frame,
    last: Annotated[int | None, typer.Argument(metavar="LAST", help="Up to this frame.")] = None,
) -> None:
    """Accept frames: no propagation overwrites them, and they count as key frames."""
    with opened(folder) as project:
        project.lock(first, last)
    tell_edit(project)


@app.command()
def unlock(
    folder: Folder,
    first: Frame,
    last: Annotated[int | None, typer.Argument(metavar="LAST", help="Up to this frame.")] = None,
) -> None:
    """Take back lock."""
    with opened(folder) as project:
        project.unlock(first, last)
    tell_edit(project)


@app.command()
def undo(folder: Folder) -> None:
    """Take back the last edit."""
    with opened(folder) as project:
        edit = project.undo()
    say(f"undone: {edit.kind} {edit.what}; {project.position} of {len(project.edits)} edits count")


@app.command()
def redo(folder: Folder) -> None:
    """Do the last undone edit again."""
    with opened(folder) as project:
        edit = project.redo()
    say(f"done again: {edit.kind} {edit.what}; {project.position} of {len(project.edits)} edits count")


@app.command()
def status(folder: Folder) -> None:
    """Say what is in a project, frame by frame, and what is wrong with it."""
    import limpet

    project = limpet.Project.open(folder)
    notes([*project.problems, *project.missing()], "missing or damaged too")
    names = ", ".join(f"{i} ({name})" if name else str(i) for i, name in project.objects.items())
    say(f"objects: {names or 'none'}")
    found: dict[str, list[int]] = {}
    for frame, kind in project.statuses():
        found.setdefault(str(kind), []).append(frame)
    for word, frames in found.items():
        say(f"{word}: {_frames(frames)}")
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
    with opened(folder) as project, StopBetweenFrames() as stop, FrameProgress(folder.name) as bar:

        def on_frame(done: int, total: int | None) -> None:
            bar(done, total)
            stop.frame_done()

        result = project.export(out, overwrite=overwrite, overlay=overlay, on_frame=on_frame)
    notes(result.notices, f"see {out / 'report.json'}")
    say(f"{result.frames} frames -> {result.folder}")


@app.command()
def tidy(
    folder: Folder,
    keep: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Forget all but the last N edits.  [default: none]")
    ] = None,
) -> None:
    """Free what no edit refers to any more; with --keep, forget old edits first."""
    with opened(folder) as project:
        done = project.tidy(keep)
    say(f"{done.edits} edits forgotten, {done.files} files removed, {done.nbytes / 1e6:.1f} MB freed")


@app.command()
def video(
    folder: Folder,
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="Where the project's video is now.")],
) -> None:
    """Say where the video is, after it was moved."""
    with opened(folder) as project:
        project.set_video(video)
    say(f"{folder} refers to {video}")


@app.command()
def diff(
    folder: Folder, other: Annotated[Path, typer.Argument(metavar="OTHER", help="Another project.")]
) -> None:
    """List the frames whose mask or status differs between two projects."""
    import limpet

    one, two = limpet.Project.open(folder), limpet.Project.open(other)
    differing: dict[str, list[int]] = {"mask": [], "status": []}
    for frame, what in one.differences(two):
        differing[what].append(frame)
    for what, frames in differing.items():
        say(f"{what} differs: {_frames(frames)}")


def _names(texts: list[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for text in texts:
        number, _, name = text.partition("=")
        if not number.isascii() or not number.isdigit() or not name:
            raise MaskError(f"--name {text!r} is not understood; expected ID=NAME, for instance 3=cat")
        found[int(number)] = name
    return found


def _frames(frames: list[int]) -> str:
    """``3 frames: 1-2, 7``."""
    from limpet.project.project import spans

    count = f"{len(frames)} frame" + ("" if len(frames) == 1 else "s")
    return f"{count}: {spans(frames)}" if frames else count
