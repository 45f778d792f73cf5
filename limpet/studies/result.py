"""The files of one run: its recipe, its log, and its result, whose file says that the run is done."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from limpet.core.errors import DataError, OutputError
from limpet.core.files import atomic_path, output_error
from limpet.core.json_text import finite_json, read_json
from limpet.distillation.config import DistillationRecord
from limpet.training.config import TrainConfig

RECIPE, LOG, FILE = "recipe.json", "log.jsonl", "score.json"


@dataclass(frozen=True)
class Recipe:
    """Everything that a result depends on: equal recipes give equal results. What does not apply is None.

    Attributes:
        data: what clips are made of, and what is scored, as the user named them.
        max_size, stride: of the scoring: limit on the shorter side of the network input, and every how many frames.
        distillation, stages: settings of a student's training, as they are saved beside it.
        start: sha256 of what a student begins with. seed: of its training.
        student: name of a student that is scored before it is trained, or that is trained without a teacher.
        weights: sha256 of a teacher that is scored itself.
        queue: the frames that a student remembers when it is scored, where these are not as it was trained.
    """

    data: dict[str, str]
    max_size: int
    stride: int
    distillation: dict[str, Any] | None = None
    stages: dict[str, Any] | None = None
    start: dict[str, str] | None = None
    seed: int | None = None
    student: str | None = None
    weights: str | None = None
    queue: str | None = None

    @property
    def training(self) -> Recipe:
        """The part that the trained weights depend on; what is of the scoring is left out."""
        return replace(self, queue=None, max_size=0, stride=0, data={**self.data, "score": ""})

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, without what does not apply."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Result:
    """One student, scored.

    Attributes:
        recipe: everything that it depends on.
        j_and_f, j, f: per cent.
        frames_per_second: of the tracker's steps while it was scored.
        parameters, peak_mb: see limpet.studies.footprint.
        steps, seconds: of the training; the seconds of all steps, even where a run was resumed.
        commit, version, machine, date: where and when it was made.
        copied_from: the folder of a run with the same recipe, of which this is a copy; else "".
    """

    recipe: Recipe
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
        temporary.write_text(
            finite_json(asdict(result) | {"recipe": result.recipe.as_json()}, "the result", indent=1) + "\n"
        )


def read_result(folder: Path) -> Result | None:
    """The result in FOLDER, or None where the run is not done. Raises DataError for a damaged file."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        content = read_json(path)
        return Result(**{**content, "recipe": Recipe(**_in_words_of_today(content["recipe"]))})
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is not a result of this version ({error}); remove it, and the run is scored again"
        ) from error


def begin_run(folder: Path, recipe: Recipe) -> None:
    """Make the folder and keep the recipe there, or check that a half-finished run has the same.

    Raises:
        DataError: the run was begun with another recipe. OutputError: the folder holds something else.
    """
    path = folder / RECIPE
    if path.is_file():
        return _expect(recipe, _begun(path), folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
    if any(folder.iterdir()):
        raise OutputError(f"{folder} has files that are not of a study; choose another --out")
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(recipe.as_json(), indent=1) + "\n")


def _begun(path: Path) -> dict[str, Any]:
    """The recipe that a run was begun with, in the words of today."""
    try:
        return _in_words_of_today(read_json(path))
    except (AttributeError, OSError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is not a recipe of this version ({error}); choose another --out, or remove the run's folder"
        ) from error


def expect_recipe(recipe: Recipe, before: Recipe, folder: Path) -> None:
    """Raise DataError where the run in ``folder`` was made with another recipe; the message names the differences."""
    _expect(recipe, before.as_json(), folder)


def _expect(recipe: Recipe, before: dict[str, Any], folder: Path) -> None:
    differences = differences_of(before, recipe.as_json())
    if differences:
        raise DataError(
            f"the run in {folder} was made otherwise: {'; '.join(differences)}; repeat it with the same settings, "
            f"choose another --out, or remove that folder"
        )


def _in_words_of_today(recipe: dict[str, Any]) -> dict[str, Any]:
    """A saved recipe with the settings that have come since, which have their defaults. Raises DataError."""
    today = dict(recipe)
    if "version" in today.get("distillation", {}):
        today["distillation"] = DistillationRecord.from_json(today["distillation"]).as_json()
    today["stages"] = {
        name: TrainConfig.from_json(stage).as_json() if "version" in stage else stage
        for name, stage in today.get("stages", {}).items()
    }
    if not today["stages"]:
        del today["stages"]
    return today


def find_trained(out: Path, recipe: Recipe) -> Path | None:
    """The folder of a finished run in ``out`` with the same training, that was scored in another way; or None."""
    for path in sorted(out.glob(f"*/*/*/{FILE}")):
        result = read_result(path.parent)
        if result is None or result.copied_from or not result.recipe.stages:
            continue  # a copy has no weights, and a reference no training
        if result.recipe.training == recipe.training:
            return path.parent
    return None


def find_twin(out: Path, recipe: Recipe) -> tuple[Path, Result] | None:
    """A finished run of any study in ``out`` that has the same recipe: its folder and its result; or None."""
    for path in sorted(out.glob(f"*/*/*/{FILE}")):
        result = read_result(path.parent)
        if result is not None and result.recipe == recipe and not result.copied_from:
            return path.parent, result
    return None


def copy_of(result: Result, source: Path, out: Path) -> Result:
    """The result of a run with the same recipe, which names the folder that it was copied from."""
    return replace(result, copied_from=str(source.relative_to(out)))


def read_log(path: Path) -> list[dict[str, float]]:
    """The rows of a run's log. Raises DataError."""
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, RecursionError, ValueError) as error:
        raise DataError(f"{path} is not the log of a run ({error}); train it again") from error


def differences_of(before: dict[str, Any], now: dict[str, Any], within: str = "") -> list[str]:
    """Where two nested settings differ, one phrase each: "distillation.labels was 1.0, is now 0.0"."""
    found = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences_of(old, new, f"{within}{name}.")
        elif old != new:
            found.append(f"{within}{name} was {old}, is now {new}")
    return found
