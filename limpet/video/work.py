"""The hidden folder beside results that are not finished: what a run needs to go on after it was killed."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from limpet.errors import OutputError
from limpet.files import atomic_path, output_error
from limpet.video.journal import Journal, Line, line_of

WORK = ".limpet-run"
LOCK = "lock"
RUN = "run"
"""Kind of the journal's first line: who wrote it and with which settings."""


class WorkFolder:
    """``.limpet-run`` in a folder of results: the journal, the overlay as it grows, and the tracker's states.

    A run is here from the moment when there is a journal until there is none; both happen at once.

    Args:
        results: the folder of results.
    """

    def __init__(self, results: Path) -> None:
        self.path = results / WORK
        self.overlay = self.path / "overlay.mp4"
        self.journal = Journal(self.path / "journal.txt")
        self._lock: IO[str] | None = None

    def exists(self) -> bool:
        """Whether an unfinished run is here."""
        return self.journal.path.is_file()

    def start(self, facts: Mapping[str, Any]) -> None:
        """Begin a run, and hold the folder; what an earlier run left is forgotten in one moment.

        Args:
            facts: of the run, plain data.

        Raises:
            OutputError: when it cannot be written, or another run is at work here.
        """
        try:
            self.path.mkdir(exist_ok=True)
            self.hold()
            with atomic_path(self.journal.path) as temporary:
                temporary.write_bytes(line_of(RUN, {"made_by": "limpet", **facts}))
            for path in self.path.iterdir():
                if path.name not in (self.journal.path.name, LOCK):
                    path.unlink()
        except OSError as error:
            raise output_error(error, self.path) from error

    def hold(self) -> None:
        """Keep other runs out until ``release``, or until this process ends in whatever way (not on Windows).

        Raises:
            OutputError: another run is at work here.
        """
        if sys.platform == "win32" or self._lock is not None:
            return
        import fcntl

        try:
            self._lock = (self.path / LOCK).open("a")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.release()
            raise OutputError(
                f"another run is at work in {self.path.parent}; wait until it ends, or choose another folder"
            ) from error
        except OSError as error:
            if self._lock is None:
                raise output_error(error, self.path) from error
            # some network disks know no locks

    def release(self) -> None:
        """Let others in."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def read(self) -> tuple[dict[str, Any], list[Line]]:
        """The facts of the run, and the lines that followed.

        Raises:
            OutputError: the journal is damaged.
        """
        lines = self.journal.read()
        if not lines or lines[0].kind != RUN:
            raise OutputError(
                f"the first line of {self.journal.path} is damaged; pass --overwrite to start again from the first "
                "frame"
            )
        return lines[0].facts, lines[1:]

    def remove(self) -> None:
        """Remove all of it.

        Raises:
            OutputError: when it cannot be removed.
        """
        self.release()
        try:
            self.journal.path.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                shutil.rmtree(self.path)
        except OSError as error:
            raise output_error(error, self.path) from error
