"""What the commands of ``limpet project`` share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limpet.cli.terminal import note, say

if TYPE_CHECKING:
    from limpet.project import Project

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The project's folder.")]
Objects = Annotated[
    list[int] | None, typer.Option("--object", metavar="ID", help="Only this object. May be repeated.")
]


@contextmanager
def opened(folder: Path) -> Iterator[Project]:
    """The project in a folder."""
    import limpet

    yield limpet.Project.open(folder)


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
