"""A dry run: a few steps of a study's first arm on small clips, everything else as configured; nothing is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from limpet.core.errors import DataError
from limpet.studies.conditions import Bench
from limpet.studies.plots import read_log
from limpet.studies.scale import DRY_SIZE, dry
from limpet.studies.student import train_student
from limpet.studies.study import Arm
from limpet.studies.study_run import LOG


def dry_run_study(arms: Sequence[Arm], bench: Bench, steps: int) -> list[str]:
    """Train the first arm that can be run for ``steps`` steps a stage, and throw it away.

    Returns:
        A sentence for each stage: how many steps, of how many, and the losses.

    Raises:
        DataError: no arm can be run with this teacher, or as of ``distill``.
    """
    usable = [arm for arm in arms if bench.obstacle(arm) is None]
    if not usable:
        raise DataError(f"no arm can be tried: {bench.obstacle(arms[0])}")
    arm, told = usable[0], []
    with TemporaryDirectory(prefix="limpet-study-") as name:
        folder = Path(name)
        trial = replace(bench, scale=dry(bench.scale, steps))
        train_student(trial, arm, 0, folder, quiet=True)
        for stage in bench.scale.stages:
            place = folder / stage.name if len(bench.scale.stages) > 1 else folder
            losses = [row["loss"] for row in read_log(place / LOG)]
            done = f"{len(losses)} of {stage.training.steps} steps on clips of {DRY_SIZE} pixels"
            told.append(f"{arm.name}, {stage.name}: {done}, loss {losses[0]:.3f} to {losses[-1]:.3f}")
    return told
