"""The hidden folder beside results that are not finished: what a run needs to go on after it was killed."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from limpet.core.errors import OutputError
from limpet.core.files import atomic_path, output_error
from limpet.results.journal import Journal, Line, line_of
from limpet.results.video_report import MADE_BY, REPORT_FILES

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


_MASK_NAME = re.compile(r"\d{5,}\.png")
_TEMPORARY_NAME = re.compile(r"\.(\d{5,}|overlay|report)\.[0-9a-f]{8}\.tmp\.(png|mp4|json|html)")


def earlier_files(folder: Path, overwrite: bool = False, resume: bool = False) -> list[Path]:
    """Our files in ``folder`` that are to be removed when the first new one is written.

    Args:
        overwrite: of an earlier result those are all; without it a folder with anything in it is refused.
        resume: of an unfinished run those are what it was writing when it was killed.

    Raises:
        OutputError: the folder cannot be used in this way; says what to do.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file; choose a folder for the results")
        if not folder.is_dir():
            return []
        masks = list((folder / "masks").iterdir()) if (folder / "masks").is_dir() else []
        torn = [path for path in [*folder.iterdir(), *masks] if _TEMPORARY_NAME.fullmatch(path.name)]
        if is_blank(folder):
            return torn
        if not overwrite:
            _check_resumed(folder, resume)
            return torn
        ours = [folder / name for name in ("overlay.mp4", *REPORT_FILES)]
        ours += [path for path in masks if _MASK_NAME.fullmatch(path.name)]
        found = [path for path in ours if path.exists()]
        if found and not _is_ours(folder):
            raise OutputError(
                f"{found[0]} is in the way and was not made by limpet (report.json is missing or another's); "
                "--overwrite replaces limpet's own results only: choose another folder, or move it away"
            )
        return found + torn
    except OSError as error:
        raise output_error(error, folder) from error


def is_blank(folder: Path) -> bool:
    """Whether ``folder`` is absent, or holds nothing but what a run leaves that is killed before its first frame."""
    if not folder.is_dir():
        return not folder.exists()
    return not is_unfinished(folder) and all(
        path.name == WORK or _TEMPORARY_NAME.fullmatch(path.name) for path in folder.iterdir()
    )


def is_unfinished(folder: Path) -> bool:
    """Whether a run in ``folder`` was stopped or killed, and can go on."""
    return WorkFolder(folder).exists()


def complete_report(folder: Path) -> dict[str, Any] | None:
    """The report of a run in ``folder`` that reached its end; None where there is none."""
    report = _report(folder)
    return report if report and report.get("complete") and not is_unfinished(folder) else None


def masks_from(folder: Path, index: int) -> list[Path]:
    """The masks in ``folder`` of the frames from ``index`` on."""
    masks = folder / "masks"
    found = [path for path in masks.iterdir() if _MASK_NAME.fullmatch(path.name)] if masks.is_dir() else []
    return [path for path in found if int(path.stem) >= index]


def _check_resumed(folder: Path, resume: bool) -> None:
    if not resume and is_unfinished(folder):
        raise OutputError(
            f"{folder} holds a run that was not finished; pass --resume to go on with it, or --overwrite to start "
            "again"
        )
    if not resume:
        raise OutputError(f"{folder} exists and is not empty; choose another folder, or pass --overwrite")
    if not is_unfinished(folder) and complete_report(folder) is None:
        raise OutputError(
            f"{folder} is not empty, and holds no unfinished run to go on with; choose another folder, or pass "
            "--overwrite instead of --resume"
        )


def _is_ours(folder: Path) -> bool:
    return _report(folder) is not None or is_unfinished(folder)


def _report(folder: Path) -> dict[str, Any] | None:
    """What report.json says, if it is ours."""
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return dict(report) if report["made_by"] == MADE_BY else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
