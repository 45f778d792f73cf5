"""Which files in an output folder are an earlier result of ours, and so may be replaced."""

from __future__ import annotations

import json
import re
from pathlib import Path

from limpet.errors import OutputError
from limpet.files import output_error
from limpet.visual.report import MADE_BY, REPORT_FILES

_MASK_NAME = re.compile(r"\d{5,}\.png")
_TEMPORARY_NAME = re.compile(r"\.(\d{5,}|overlay|report)\.[0-9a-f]{8}\.tmp\.(png|mp4|json|html)")


def earlier_files(folder: Path, overwrite: bool) -> list[Path]:
    """Our files of an earlier result in ``folder``, to be removed when the first new one is written."""
    try:
        if not folder.is_dir() or not any(folder.iterdir()):
            if folder.exists() and not folder.is_dir():
                raise OutputError(f"{folder} is a file; choose a folder for the results")
            return []
        if not overwrite:
            raise OutputError(f"{folder} exists and is not empty; choose another folder, or pass --overwrite")
        ours = [folder / name for name in ("overlay.mp4", *REPORT_FILES)]
        masks = list((folder / "masks").iterdir()) if (folder / "masks").is_dir() else []
        ours += [path for path in masks if _MASK_NAME.fullmatch(path.name)]
        found = [path for path in ours if path.exists()]
        if found and not _is_ours(folder):
            raise OutputError(
                f"{found[0]} is in the way and was not made by limpet (report.json is missing or another's); "
                "--overwrite replaces limpet's own results only: choose another folder, or move it away"
            )
        stale = [path for path in [*folder.iterdir(), *masks] if _TEMPORARY_NAME.fullmatch(path.name)]
        return found + stale
    except OSError as error:
        raise output_error(error, folder) from error


def _is_ours(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "report.json").read_text(encoding="utf-8"))["made_by"] == MADE_BY)
    except (OSError, ValueError, KeyError, TypeError):
        return False
