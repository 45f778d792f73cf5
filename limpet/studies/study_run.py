"""Runs the arms of a study: each arm and seed in a folder of its own; finished runs are not repeated."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from limpet.studies.arms import Arm, Study
from limpet.studies.conditions import Conditions
from limpet.studies.result import (
    LOG,
    Recipe,
    Result,
    begin_run,
    copy_of,
    expect_recipe,
    find_trained,
    find_twin,
    read_result,
    write_result,
)
from limpet.studies.student import TRAINED, score_model, score_teacher, train_student

REFERENCES = "references"
Tell = Callable[[str], None]


@dataclass(frozen=True)
class StudyRun:
    """The outcome of a study.

    results: by the arm's name, one for each seed. skipped: by the arm's name, why it was not run.
    references: scores of the teacher, and of each student before it was trained, by what they are.
    """

    study: Study
    results: dict[str, list[Result]]
    skipped: dict[str, str]
    references: dict[str, Result]


def run_study(
    study: Study,
    arms: Sequence[Arm],
    seeds: int,
    conditions: Conditions,
    out: Path,
    tell: Tell,
    quiet: bool = False,
) -> StudyRun:
    """Run what is not done yet, and gather everything.

    Args:
        arms: those of the study's arms that are wanted. seeds: how many runs of each, with seeds from 0.
        out: the folder OUT; each run has the folder OUT/<study>/<arm>/seed<k>.
        tell: called with one sentence before each run.
        quiet: show no progress bar of the training.

    Raises:
        DataError: a run that is there was made with another recipe; or see ``distill``. OutputError.
    """
    skipped = {arm.name: reason for arm in arms if (reason := conditions.obstacle(arm))}
    runs = [(arm, seed) for seed in range(seeds) for arm in arms if arm.name not in skipped]
    results: dict[str, list[Result]] = {}
    for number, (arm, seed) in enumerate(runs, start=1):
        where = f"{study.name}, {arm.name}, seed {seed} ({number} of {len(runs)})"
        folder = out / study.name / arm.name / f"seed{seed}"
        work = _work(conditions, arm, seed, quiet)
        results.setdefault(arm.name, []).append(
            _run(folder, conditions.recipe(arm, seed), out, tell, where, work)
        )
    students = list(dict.fromkeys(arm.student for arm, _ in runs))
    return StudyRun(study, results, skipped, _references(study, students, conditions, out, tell))


Work = Callable[[Path], Result]
"""Makes the result of a run in its folder."""


def _work(conditions: Conditions, arm: Arm, seed: int, quiet: bool) -> Work:
    def work(folder: Path) -> Result:
        student, cost = train_student(conditions, arm, seed, folder, quiet)
        result = score_model(student, arm.student, conditions, conditions.recipe(arm, seed), cost)
        for checkpoint in folder.rglob("checkpoint.safetensors"):  # ten times the weights, and of no use now
            checkpoint.unlink()
        return result

    return work


def _references(
    study: Study, students: list[str], conditions: Conditions, out: Path, tell: Tell
) -> dict[str, Result]:
    """The scores without which a table cannot be read: where the students began, and that of their teacher."""
    teacher = conditions.teacher
    if teacher is None or not students:
        return {}
    recipe = conditions.teacher_recipe()
    jobs: list[tuple[str, Recipe, Work]] = [
        (f"the teacher, {teacher.name}", recipe, lambda _: score_teacher(conditions, recipe))
    ]
    for name in students:
        untrained = conditions.untrained_recipe(name)
        jobs.append(
            (
                f"{name} before it learned",
                untrained,
                lambda _, name=name, untrained=untrained: score_model(  # type: ignore[misc]
                    conditions.start.student(name, 0), name, conditions, untrained
                ),
            )
        )
    found = {}
    for title, made_by, work in jobs:
        folder = out / study.name / REFERENCES / title.replace(", ", " ").replace(" ", "-")
        found[title] = _run(folder, made_by, out, tell, f"{study.name}, {title}", work)
    return found


def _run(folder: Path, recipe: Recipe, out: Path, tell: Tell, where: str, work: Work) -> Result:
    """The result in ``folder``: from there, copied from a run with the same recipe, or made now."""
    done = read_result(folder)
    if done is not None:
        expect_recipe(recipe, done.recipe, folder)
        tell(f"{where}: done before")
        return done
    twin = find_twin(out, recipe)
    begin_run(folder, recipe)
    if twin is None:
        trained = find_trained(out, recipe)
        if trained is None:
            tell(where)
        else:
            tell(f"{where}: trained as {trained.relative_to(out)}")
            _copy_training(trained, folder)
        result = work(folder)
    else:
        tell(f"{where}: the same run as {twin[0].relative_to(out)}")
        result = copy_of(twin[1], twin[0], out)
        if (twin[0] / LOG).is_file():
            shutil.copyfile(twin[0] / LOG, folder / LOG)
    write_result(result, folder)
    return result


def _copy_training(trained: Path, folder: Path) -> None:
    """What a training left, stage by stage, so that it is not repeated."""
    for path in sorted(trained.rglob("*")):
        if path.name in TRAINED:
            target = folder / path.relative_to(trained)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
