"""The project that is being served: one copy for reading and one for edits, both as the folder is now.

Other programs may work on the same folder. Whenever project.json was replaced, the folder is opened again; an edit that
met such a change is made again on what is there now.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from limpet.core.errors import ProjectError
from limpet.project import Project
from limpet.project.folder import HEAD

T = TypeVar("T")
Signature = tuple[int, int, int]


class ServedProject:
    """A project that several threads read and edit.

    Args:
        project: just opened.
        on_change: called with the new revision, from any thread, whenever the folder has changed.

    Attributes:
        revision: grows with every change on the disk, whoever made it.
        trouble: why the folder can no longer be read at all, or "".
    """

    def __init__(self, project: Project, on_change: Callable[[int], None]) -> None:
        self.path: Path = project.path
        self._on_change = on_change
        self._reading, self._editing = threading.RLock(), threading.RLock()
        self._signature = self._edited = _signature(project.path)
        self._view, self._editable = project.reopened(), project
        self.revision = int(time.time() * 1000)
        self.trouble = ""

    @contextmanager
    def view(self) -> Iterator[Project]:
        """The project as it is now, for reading; others wait."""
        self.refresh()
        with self._reading:
            yield self._view

    def objects(self) -> dict[int, str]:
        """Ids and names of the objects."""
        with self.view() as project:
            return project.objects

    def refresh(self) -> None:
        """Open the folder again if it has changed."""
        with self._reading:
            found = _signature(self.path)
            if found == self._signature:
                return
            try:
                self._view, self.trouble = self._view.reopened(), ""
            except ProjectError as error:
                self.trouble = str(error)
            self._signature = found
            self.revision += 1
        self._on_change(self.revision)

    def edit(self, change: Callable[[Project], T]) -> T:
        """Make one change; when it returns, the change is on the disk.

        Args:
            change: called with the project as it is now, and once more if another program came in between.
        """
        with self._editing:
            found = _signature(self.path)
            if found != self._edited:
                self._editable, self._edited = self._editable.reopened(), found
            try:
                result = change(self._editable)
            except ProjectError:
                if self._editable.is_current():
                    raise
                self._editable = self._editable.reopened()
                result = change(self._editable)
            finally:
                self._edited = _signature(self.path)
        self.refresh()
        return result


def _signature(folder: Path) -> Signature | None:
    """What differs when project.json was replaced; None while there is none."""
    try:
        facts = (folder / HEAD).stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_ino, facts.st_size
