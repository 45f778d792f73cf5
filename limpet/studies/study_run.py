"""Runs the arms of a study: each arm and seed in a folder of its own, and no finished run again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limpet.core.errors import OutputError
from limpet.core.files import atomic_path, output_error
from limpet.studies.conditions import Bench
from limpet.studies.result import (
    Result,
    copy_of,
    expect_recipe,
    find_twin,
    read_result,
    write_result,
)
from limpet.studies.student import score_model, score_teacher, train_student
from limpet.studies.study import Arm, Study

RECIPE = "recipe.json"
LOG = "log.jsonl"
REFERENCES = "references"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class StudyRun:
    """What a study came to.

    results: by arm's name, one for each seed. skipped: why an arm was not run, by its name.
    references: scores of the teacher, and of each student before it learned anything, by what they are.
    """

    study: Study
    results: dict[str, list[Result]]
    skipped: dict[str, str]
    references: dict[str, Result]


def run_study(
    study: Study, arms: Sequence[Arm], seeds: int, bench: Bench, out: Path, tell: Tell, quiet: bool = False
) -> StudyRun:
    """Run what is not done yet, and gather everything.

    Args:
        arms: those of the study's that are wanted. seeds: runs of each, with seeds from 0.
        out: OUT; a run lies in OUT/<study>/<arm>/seed<k>.
        tell: called with one sentence before each run.
        quiet: show no bar of the training.

    Raises:
        DataError: a run that is there was made by another recipe; or as of ``distill``. OutputError.
    """
    skipped = {arm.name: reason for arm in arms if (reason := bench.obstacle(arm))}
    runs = [(arm, seed) for seed in range(seeds) for arm in arms if arm.name not in skipped]
    results: dict[str, list[Result]] = {}
    for number, (arm, seed) in enumerate(runs, start=1):
        where = f"{study.name}, {arm.name}, seed {seed} ({number} of {len(runs)})"
        folder = out / study.name / arm.name / f"seed{seed}"
        recipe = bench.recipe(arm, seed)
        results.setdefault(arm.name, []).append(
            _run(folder, recipe, out, tell, where, _work(bench, arm, seed, quiet))
        )
    students = list(dict.fromkeys(arm.student for arm, _ in runs))
    return StudyRun(study, results, skipped, _references(study, students, bench, out, tell))


Work = Callable[[Path, dict[str, Any]], Result]


def _work(bench: Bench, arm: Arm, seed: int, quiet: bool) -> Work:
    def work(folder: Path, recipe: dict[str, Any]) -> Result:
        student, cost = train_student(bench, arm, seed, folder, quiet)
        result = score_model(student, arm.student, bench, recipe, cost)
        for checkpoint in folder.rglob("checkpoint.safetensors"):  # ten times the weights, and of no use now
            checkpoint.unlink()
        return result

    return work


def _references(study: Study, students: list[str], bench: Bench, out: Path, tell: Tell) -> dict[str, Result]:
    """Scores without which a table cannot be read: from where the students set out, and how far they could get."""
    if bench.teacher is None or not students:
        return {}
    teacher, start = bench.teacher, bench.start.as_json()
    jobs: dict[str, tuple[dict[str, Any], Work]] = {
        f"the teacher, {teacher.name}": (
            {"weights": teacher.weights_sha256},
            lambda folder, recipe: score_teacher(bench, recipe),
        )
    }
    for name in students:
        jobs[f"{name} before it learned"] = (
            {"student": name, "start": start},
            lambda folder, recipe, name=name: score_model(  # type: ignore[misc]
                bench.start.student(name, 0), name, bench, recipe
            ),
        )
    found = {}
    for title, (what, work) in jobs.items():
        folder = out / study.name / REFERENCES / title.replace(", ", " ").replace(" ", "-")
        found[title] = _run(folder, what | bench.scoring(), out, tell, f"{study.name}, {title}", work)
    return found


def _run(folder: Path, recipe: dict[str, Any], out: Path, tell: Tell, where: str, work: Work) -> Result:
    """The result in ``folder``: from there, copied from a twin, or made now."""
    done = read_result(folder)
    if done is not None:
        expect_recipe(done.recipe, recipe, folder)
        tell(f"{where}: done before")
        return done
    twin = find_twin(out, recipe)
    _begin(folder, recipe)
    if twin is None:
        tell(where)
        result = work(folder, recipe)
    else:
        tell(f"{where}: the same run as {twin[0].relative_to(out)}")
        result = copy_of(twin[1], twin[0], out)
        if (twin[0] / LOG).is_file():
            shutil.copyfile(twin[0] / LOG, folder / LOG)
    write_result(result, folder)
    return result


def _begin(folder: Path, recipe: dict[str, Any]) -> None:
    """Make the folder and keep the recipe there, or check that a half run has the same."""
    path = folder / RECIPE
    if path.is_file():
        expect_recipe(json.loads(path.read_text()), recipe, folder)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
    if any(folder.iterdir()):
        raise OutputError(f"{folder} has files that are not of a study; choose another --out")
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(recipe, indent=1) + "\n")
