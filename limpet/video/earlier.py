"""What lies in an output folder: an earlier result of ours that may be replaced, or a run to go on with."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from limpet.errors import OutputError
from limpet.files import output_error
from limpet.video.work import WORK, WorkFolder
from limpet.visual.report import MADE_BY, REPORT_FILES

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
