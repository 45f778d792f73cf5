"""What lies in a folder of results: an unfinished run with its lock, a complete result, or files of another program.

``.limpet-run`` is the hidden folder beside results that are not finished, with what a killed run needs to be resumed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from limpet.core.errors import Option, OutputError
from limpet.core.files import atomic_path, lock_file, output_error
from limpet.core.json_text import read_json, whole_number
from limpet.core.limits import limits
from limpet.core.masks import MAX_ID
from limpet.results.journal import Journal, Line, line_of
from limpet.results.video_report import MADE_BY, REPORT_FILES
from limpet.video.video_reader import ReadFailure

RUN_FOLDER = ".limpet-run"
LOCK = "lock"
RUN = "run"
"""Kind of the journal's first line: what wrote it, and with which settings."""
_MASK_NAME = re.compile(r"\d{5,}\.png")
_TEMPORARY_NAME = re.compile(r"\.(\d{5,}|overlay|report)\.[0-9a-f]{8}\.tmp\.(png|mp4|json|html)")
_OVERWRITE, _RESUME = Option("overwrite"), Option("resume")


class RunFolder:
    """``.limpet-run`` in a folder of results: the journal, the growing overlay, and the saved states of the tracker.

    An unfinished run exists exactly as long as there is a journal; creating and removing the journal are atomic.

    Args:
        results: the folder of results.
    """

    def __init__(self, results: Path) -> None:
        self.path = results / RUN_FOLDER
        self.overlay = self.path / "overlay.mp4"
        self.journal = Journal(self.path / "journal.txt")
        self._lock: IO[str] | None = None

    def exists(self) -> bool:
        """Whether an unfinished run is here."""
        return self.journal.path.is_file()

    def start(self, facts: Mapping[str, Any]) -> None:
        """Begin a run and lock the folder; an earlier unfinished run is discarded atomically.

        Args:
            facts: of the run, plain data.

        Raises:
            OutputError: it cannot be written, or another run holds the lock.
        """
        try:
            self.path.mkdir(exist_ok=True)
            self.lock()
            with atomic_path(self.journal.path) as temporary:
                temporary.write_bytes(line_of(RUN, {"made_by": "limpet", **facts}))
            for path in self.path.iterdir():
                if path.name not in (self.journal.path.name, LOCK):
                    path.unlink()
        except OSError as error:
            raise output_error(error, self.path) from error

    def lock(self) -> None:
        """Keep other runs out until ``release``, or until this process ends, however it ends (not on Windows).

        Raises:
            OutputError: another run holds the lock.
        """
        if self._lock is not None:
            return
        try:
            self._lock = lock_file(self.path / LOCK)
        except BlockingIOError as error:
            raise OutputError(
                f"another run is writing to {self.path.parent}; wait until it ends, or choose another folder"
            ) from error
        except OSError as error:
            raise output_error(error, self.path) from error

    def release(self) -> None:
        """Release the lock."""
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
                f"the first line of {self.journal.path} is damaged; pass ",
                _OVERWRITE,
                " to start again from the first frame",
            )
        return lines[0].facts, lines[1:]

    def remove(self) -> None:
        """Remove all of it. Raises OutputError."""
        self.release()
        try:
            self.journal.path.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                shutil.rmtree(self.path)
        except OSError as error:
            raise output_error(error, self.path) from error


@dataclass(frozen=True)
class CompleteRun:
    """What report.json says of a run that reached its end.

    settings: what the results depend on. failures: one sentence each. problems: what left a part of the task undone.
    """

    frames: int
    object_ids: tuple[int, ...]
    failures: tuple[str, ...]
    notices: tuple[str, ...]
    settings: Mapping[str, Any]
    problems: tuple[str, ...] = ()


def replaceable_files(folder: Path, overwrite: bool = False, resume: bool = False) -> list[Path]:
    """The files in ``folder`` that are to be removed when the first new one is written.

    Args:
        overwrite: replace an earlier result: all of its files. Without it a folder that is not empty is refused.
        resume: the folder may hold an unfinished run: the files that it was writing when it was killed.

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
            _check_may_be_used(folder, resume)
            return torn
        ours = [folder / name for name in ("overlay.mp4", *REPORT_FILES)]
        ours += [path for path in masks if _MASK_NAME.fullmatch(path.name)]
        found = [path for path in ours if path.exists()]
        if found and _report(folder) is None and not is_unfinished(folder):
            raise OutputError(
                f"{found[0]} exists and was not made by limpet (report.json is missing or another program's); ",
                _OVERWRITE,
                " replaces only limpet's own results: choose another folder, or move the file away",
            )
        return found + torn
    except OSError as error:
        raise output_error(error, folder) from error


def is_blank(folder: Path) -> bool:
    """Whether ``folder`` is absent, or holds only what a run that is killed before its first frame leaves behind."""
    if not folder.is_dir():
        return not folder.exists()
    return not is_unfinished(folder) and all(
        path.name == RUN_FOLDER or _TEMPORARY_NAME.fullmatch(path.name) for path in folder.iterdir()
    )


def is_unfinished(folder: Path) -> bool:
    """Whether ``folder`` holds a run that was stopped or killed, and can be resumed."""
    return RunFolder(folder).exists()


def complete_run(folder: Path) -> CompleteRun | None:
    """The run in ``folder`` that reached its end; None where there is none.

    Raises:
        OutputError: report.json has another content than limpet writes.
    """
    report = _report(folder)
    if report is None or is_unfinished(folder):
        return None
    try:
        failures = [ReadFailure.from_dict(failure) for failure in report["failures"]]
        ends = [str(failure) for failure in failures if failure.ends_video]
        run = CompleteRun(
            whole_number(report["frames"], "frames", 0, limits().frames),
            tuple(whole_number(item["id"], "an object's id", 1, MAX_ID) for item in report["objects"]),
            tuple(map(str, failures)),
            tuple(map(str, report["notices"])),
            {**report, **report["info"]},
            tuple(map(str, report.get("problems", ends))),
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise OutputError(
            f"{folder / 'report.json'} is not as limpet writes it ({error!r}); choose another folder, or pass ",
            _OVERWRITE,
        ) from error
    return run if report.get("complete") or run.problems else None


def masks_from(folder: Path, index: int) -> list[Path]:
    """The masks in ``folder`` of the frames from ``index`` on."""
    masks = folder / "masks"
    found = [path for path in masks.iterdir() if _MASK_NAME.fullmatch(path.name)] if masks.is_dir() else []
    return [path for path in found if int(path.stem) >= index]


def _check_may_be_used(folder: Path, resume: bool) -> None:
    """Raises OutputError for a folder that is not empty and holds nothing that may be resumed."""
    if not resume and is_unfinished(folder):
        raise OutputError(
            f"{folder} holds an unfinished run; pass ",
            _RESUME,
            " to resume it, or ",
            _OVERWRITE,
            " to start again",
        )
    if not resume:
        raise OutputError(f"{folder} exists and is not empty; choose another folder, or pass ", _OVERWRITE)
    if not is_unfinished(folder) and complete_run(folder) is None:
        raise OutputError(
            f"{folder} is not empty and holds no run to resume; choose another folder, or pass ",
            _OVERWRITE,
            " instead of ",
            _RESUME,
        )


def _report(folder: Path) -> dict[str, Any] | None:
    """The content of report.json, if limpet made it."""
    try:
        report = read_json(folder / "report.json", limits().json_bytes)
        return dict(report) if report["made_by"] == MADE_BY else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
