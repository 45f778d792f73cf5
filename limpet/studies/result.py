"""What one run came to, as the file that says it is done."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from limpet.core.errors import DataError
from limpet.core.files import atomic_path

FILE = "score.json"


@dataclass(frozen=True)
class Result:
    """One student, scored.

    recipe: all that it depends on, see ``Bench.recipe``.
    j_and_f, j, f: per cent. frames_per_second: of the tracker's steps while it was scored.
    parameters, peak_mb: see limpet.studies.footprint.
    steps, seconds: of the training; seconds are those a step took times the steps, for a run that was resumed too.
    commit, version, machine, date: where and when it was made.
    copied_from: the folder of a run with the same recipe, of which this is a copy; else "".
    """

    recipe: dict[str, Any]
    j_and_f: float
    j: float
    f: float
    frames_per_second: float | None
    parameters: int
    peak_mb: float
    steps: int
    seconds: float
    commit: str | None
    version: str
    machine: str
    date: str
    copied_from: str = ""


def write_result(result: Result, folder: Path) -> None:
    """Write FOLDER/score.json. Raises OutputError."""
    with atomic_path(folder / FILE) as temporary:
        temporary.write_text(json.dumps(asdict(result), indent=1) + "\n")


def read_result(folder: Path) -> Result | None:
    """The result in FOLDER, or None where the run is not done. Raises DataError for a damaged file."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return Result(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{path} is not a result of this version ({error}); remove it, and the run is scored again"
        ) from error


def expect_recipe(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    """Raises DataError where a run was begun by another recipe; the message says in what they differ."""
    differences = differences_of(before, now)
    if differences:
        raise DataError(
            f"the run in {folder} was made otherwise: {'; '.join(differences)}; repeat it with the same settings, "
            f"choose another --out, or remove that folder"
        )


def find_twin(out: Path, recipe: dict[str, Any]) -> tuple[Path, Result] | None:
    """A run of any study in ``out`` that is done and has the same recipe, and where it is."""
    for path in sorted(out.glob(f"*/*/*/{FILE}")):
        result = read_result(path.parent)
        if result is not None and result.recipe == recipe and not result.copied_from:
            return path.parent, result
    return None


def copy_of(result: Result, source: Path, out: Path) -> Result:
    """The result of a twin, which says so."""
    return replace(result, copied_from=str(source.relative_to(out)))


def differences_of(before: dict[str, Any], now: dict[str, Any], within: str = "") -> list[str]:
    """Where two nested settings differ, one phrase each: "lesson.labels was 1.0, is now 0.0"."""
    found = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences_of(old, new, f"{within}{name}.")
        elif old != new:
            found.append(f"{within}{name} was {old}, is now {new}")
    return found
