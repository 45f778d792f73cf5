"""What the commands of ``limpet project`` share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limpet.cli.terminal import note, say
from limpet.core.errors import LimpetError

if TYPE_CHECKING:
    from limpet.project import Project

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The project's folder.")]
Objects = Annotated[
    list[int] | None, typer.Option("--object", metavar="ID", help="Only this object. May be repeated.")
]


@contextmanager
def opened(folder: Path) -> Iterator[Project]:
    """The project; options are named as the command line has them in what goes wrong."""
    import limpet

    try:
        yield limpet.Project.open(folder)
    except LimpetError as error:
        text = str(error).replace("include_locked=True", "--include-locked")
        error.args = (text.replace("pass resize_mask=True", "add --resize-mask"),)
        raise


def tell_edit(project: Project) -> None:
    """Say what the last edit was, and whether frames wait to be propagated."""
    edit = project.edits[-1]
    say(f"edit {edit.number}: {edit.kind} {edit.what}")
    counts = Counter(kind for _, kind in project.statuses())
    waiting = counts["stale"] + counts["empty"]
    if edit.kind != "propagate" and waiting:
        note(
            f"{waiting} frames are stale or empty; limpet project propagate {project.path} follows the objects there"
        )
