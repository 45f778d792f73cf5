"""``limpet project propagate``: follow the objects from the key frames of a project."""

from __future__ import annotations

from typing import Annotated

import typer

from limpet.cli.options import (
    ENLARGE,
    DeviceName,
    Enlarge,
    Flip,
    ModelName,
    ObjectsAtOnce,
    Scales,
    ShorterSide,
    WeightsFile,
    parse_scales,
)
from limpet.cli.project_edit import Folder, Objects, opened, tell_edit
from limpet.cli.terminal import FrameProgress, StopBetweenFrames, notes, say
from limpet.core.errors import LimpetError


def propagate_command(
    folder: Folder,
    forwards: Annotated[
        int | None, typer.Option(metavar="FRAME", help="From this key frame up to the next ones.")
    ] = None,
    backwards: Annotated[
        int | None, typer.Option(metavar="FRAME", help="From this key frame back to the ones before.")
    ] = None,
    between: Annotated[
        tuple[int, int] | None, typer.Option(metavar="A B", help="Between two key frames, from both.")
    ] = None,
    to: Annotated[
        int | None, typer.Option(metavar="FRAME", help="Last frame of --forwards or --backwards.")
    ] = None,
    objects: Objects = None,
    model: ModelName = None,
    weights: WeightsFile = None,
    device: DeviceName = "auto",
    max_size: ShorterSide = 480,
    enlarge: Enlarge = ENLARGE,
    objects_at_once: ObjectsAtOnce = None,
    flip: Flip = False,
    scales: Scales = "1.0",
) -> None:
    """Follow the objects. Without --forwards, --backwards or --between: all that is empty or stale."""
    import limpet

    ways = [way for way in (forwards, backwards, between) if way is not None]
    if len(ways) > 1:
        raise LimpetError("give only one of --forwards, --backwards and --between")
    if (to is not None and (not ways or between is not None)) or (objects and not ways):
        raise LimpetError("--to needs --forwards or --backwards, and --object one of those or --between")
    with opened(folder) as project:
        tracker = limpet.load(
            model,
            weights=weights,
            device=device,
            max_size=max_size,
            enlarge=enlarge,
            objects_at_once=objects_at_once,
            flip=flip,
            scales=parse_scales(scales),
        )
        with StopBetweenFrames() as stop, FrameProgress(folder.name) as bar:

            def on_frame(done: int, total: int | None) -> None:
                bar(done, total)
                stop.frame_done()

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
