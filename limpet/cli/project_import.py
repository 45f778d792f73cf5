"""``limpet project import FOLDER SOURCE``: masks and corrections that were made in another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limpet.cli.project_commands import Folder, listed, open_project, tell_edit
from limpet.cli.terminal import note, notes, say


def import_command(
    folder: Folder,
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A file of another program, or a folder of masks.")
    ],
    sequence: Annotated[
        str | None, typer.Option(metavar="NAME", help="The video that is meant, where SOURCE has several.")
    ] = None,
) -> None:
    """Take in masks and corrections that were made in another program, such as CVAT.

    Frames whose masks differ become key frames; objects with new ids are added. All of it is one edit.
    """
    from limpet.exchange.formats import read_masks

    project = open_project(folder)
    masks = read_masks(source, sequence=sequence)
    done = project.import_masks(masks)
    notes(masks.notices, "see docs/formats.md")
    if done.locked:
        note(f"locked, and left as they are: {listed(list(done.locked))}")
    if done.changed:
        tell_edit(project)
    else:
        say(f"nothing to do: no mask differs from the project's ({done.same} frames compared)")
