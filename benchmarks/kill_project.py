"""Projects whose propagation is killed at random moments: nothing is lost, and the end is the same byte for byte.

    python benchmarks/kill_project.py                    # 100 kills
    python benchmarks/kill_project.py --kills 20 --seed 3

`limpet project propagate` follows two objects through a short clip, one of which was corrected on its way, and commits
every 50 ms instead of every 30 s. It is killed with SIGKILL at a random moment; a fifth of the kills come while it
starts, the others while it works. After each kill the project is opened: it must have no problem and no lost mask. Then
the same command goes on, until one reaches the end. Every mask and confidence must be that of an undisturbed project.

Each process is forked from one that has imported everything and done nothing else.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import numpy as np
from killing import Course, course_of, processes, processor_seconds, start
from PIL import Image

from limpet.bench.machine import describe_machine, machine_lines
from limpet.project import Project
from limpet.project.propagation import SCRATCH

COUNT = 24
SIZE = (48, 64)
CORRECTED = 15
"""The frame with a correction."""
SAVE_SECONDS = 0.05
PRELOADED = (
    "limpet",
    "limpet.cli.project_commands",
    "limpet.tracking.load",
    "limpet.project.propagation",
    "av",
)


def make_project(folder: Path) -> Path:
    """Two squares that drift over noise; masks of both in frame 0, and of one in a later frame. Gives its folder."""
    (folder / "clip").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 120, (*SIZE, 3), dtype=np.uint8)
    masks = [drawn(index) for index in range(COUNT)]
    colors = np.array([[0, 0, 0], [220, 60, 40], [60, 90, 230]], np.uint8)
    for index, mask in enumerate(masks):
        picture = np.where(mask[..., None] > 0, colors[mask], noise)
        Image.fromarray(picture).save(folder / f"clip/{index:03d}.png")
    project = Project.create(folder / "job", folder / "clip")
    project.add(0, masks[0])
    project.correct(CORRECTED, masks[CORRECTED], objects=[1])
    return folder / "job"


def drawn(index: int) -> Any:
    """The true mask of a frame, uint8 (H, W)."""
    mask = np.zeros(SIZE, np.uint8)
    mask[6:20, 4 + index : 18 + index], mask[26:44, 42 - index : 58 - index] = 1, 2
    return mask


def content(job: Path) -> list[tuple[bytes | None, dict[int, float]]]:
    """Every mask as it is stored, and the confidences."""
    project = Project.open(job)
    return [(project.mask_bytes(frame), project.confidence(frame)) for frame in range(COUNT)]


def trouble(job: Path) -> str:
    """What is wrong with a project after a kill; nothing should be."""
    project = Project.open(job)
    return "; ".join([*project.problems, *project.lost_masks().values()])


class Propagating:
    """`limpet project propagate` in a process."""

    def __init__(self, context: BaseContext, job: Path, model: str) -> None:
        self._job, self._scratch = job, set(job.glob(f"{SCRATCH}*"))
        words = ["project", "propagate", str(job), "--model", model, "--device", "cpu"]
        self.process = start(context, words, job.parent / "log.txt", SAVE_SECONDS)

    def works(self) -> bool:
        """Whether the tracker has been loaded and a job begun."""
        return set(self._job.glob(f"{SCRATCH}*")) != self._scratch

    def ended(self) -> bool:
        """Whether the process is gone."""
        return not self.process.is_alive()

    def seconds(self) -> float:
        """Processor time that it has taken."""
        return processor_seconds(self.process.pid)


def undisturbed(context: BaseContext, folder: Path, model: str) -> tuple[Course, list[Any]]:
    """How long it takes, and what comes of it."""
    job = make_project(folder)
    running = Propagating(context, job, model)
    course = course_of(running)
    running.process.join()
    if running.process.exitcode:
        raise SystemExit(f"the undisturbed run failed; see {folder}/log.txt")
    return course, content(job)


def is_as_undisturbed(job: Path, number: int, expected: list[Any]) -> bool:
    """Whether project ``number`` has the masks and confidences of the undisturbed one; it is kept if it has not."""
    if content(job) == expected:
        shutil.rmtree(job.parent)
        return True
    print(f"project {number} differs: {job}", flush=True)
    return False


def parse(about: str | None) -> argparse.Namespace:
    """The options of a script that kills what works on a project; about: the docstring of the script."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="deaot-nano")
    parser.add_argument("--folder", type=Path, help="where to work; what differs is kept there")
    return parser.parse_args()


def main() -> int:
    """Kill, look, go on, compare; returns the exit code."""
    options = parse(__doc__)
    print("\n".join(machine_lines(describe_machine())))
    folder = options.folder or Path(tempfile.mkdtemp(prefix="kill-project-"))
    context, chance = processes(*PRELOADED), random.Random(options.seed)
    course, expected = undisturbed(context, folder / "undisturbed", options.model)
    print(f"undisturbed: {course}", flush=True)
    kills = projects = bad = 0
    while kills < options.kills:
        projects += 1
        job, done = make_project(folder / str(projects)), False
        while not done:
            running = Propagating(context, job, options.model)
            when = course.wait(chance, running) if kills < options.kills else "the end"
            if kills < options.kills:
                running.process.kill()
            running.process.join()
            done = running.process.exitcode == 0
            if not done:
                kills += 1
                print(f"{kills:>4}  project {projects}, {when}  {trouble(job) or 'whole'}", flush=True)
                bad += bool(trouble(job))
        bad += not is_as_undisturbed(job, projects, expected)
    print(
        f"{kills} kills in {projects} projects; {bad} with a problem or with another mask than the undisturbed one; "
        f"{os.getloadavg()[0]:.1f} load at the end"
    )
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
