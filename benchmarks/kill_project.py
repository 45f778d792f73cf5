"""Projects whose propagation is killed at random moments: nothing is lost, and the end is the same byte for byte.

    python benchmarks/kill_project.py                    # 100 kills; a few minutes
    python benchmarks/kill_project.py --kills 20 --seed 3

A process propagates two objects through 80 frames with a tracker that needs no network, and commits every 20 ms. It is
killed with SIGKILL at a random moment. After each kill the project is opened: it must have no problem and no lost mask.
Then another process goes on, until one reaches the end. Every mask is compared with those of an undisturbed project.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.project import Project
from limpet.project.propagation import Reporting

COUNT = 80
SIZE = (48, 64)


@dataclass(frozen=True)
class State:
    """The state of ``Drifting``."""

    mask: NDArray[np.uint8]
    object_ids: tuple[int, ...]
    confidence: dict[int, float] = field(default_factory=dict)
    level: int = 0

    def with_mask(self, mask: NDArray[np.uint8]) -> State:
        """With another mask."""
        return replace(self, mask=mask)


class Drifting:
    """A tracker without a network: its masks move by a pixel per frame, slowly."""

    name = ""

    def start(self, frame: NDArray[np.uint8], mask: NDArray[np.uint8]) -> State:
        """See ``limpet.Tracker``."""
        return State(mask, tuple(int(i) for i in np.unique(mask) if i))

    def step(self, frame: NDArray[np.uint8], state: State) -> tuple[NDArray[np.uint8], State]:
        """See ``limpet.Tracker``."""
        time.sleep(0.005)
        mask = np.roll(state.mask, 1, axis=1)
        confidence = dict.fromkeys(state.object_ids, 1 - int(frame[0, 0, 0]) / 256)
        return mask, replace(state, mask=mask, confidence=confidence)

    def add(self, frame: NDArray[np.uint8], mask: NDArray[np.uint8], state: State) -> State:
        """See ``limpet.Tracker``."""
        return replace(state, mask=np.where(mask > 0, mask, state.mask))


def make_project(folder: Path) -> Project:
    """Two objects in frame 0, and one of them corrected in frame 50."""
    (folder / "clip").mkdir(parents=True)
    for index in range(COUNT):
        Image.fromarray(np.full((*SIZE, 3), index, np.uint8)).save(folder / f"clip/{index:03d}.png")
    project = Project.create(folder / "job", folder / "clip")
    mask = np.zeros(SIZE, np.uint8)
    mask[4:20, 4:20], mask[26:44, 30:50] = 1, 2
    project.add(0, mask)
    project.correct(50, np.roll(mask, 7, axis=0), objects=[1])
    return project


def propagate(folder: Path) -> None:
    """Go on to the end."""
    tracker: Any = Drifting()
    Project.open(folder).propagate(tracker, reporting=Reporting(save_seconds=0.02))


def masks(folder: Path) -> list[bytes | None]:
    """Every mask as it is stored."""
    project = Project.open(folder)
    return [project.mask_bytes(frame) for frame in range(COUNT)]


def main() -> int:
    """Kill, look, go on, compare; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is not None:
        propagate(given.worker)
        return 0
    chance, kills, projects, torn = random.Random(given.seed), 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        make_project(Path(name) / "whole")
        shutil.copytree(Path(name) / "whole", Path(name) / "first")
        propagate(Path(name) / "whole/job")
        expected = masks(Path(name) / "whole/job")
        begin = time.monotonic()
        subprocess.run([sys.executable, __file__, "--worker", str(Path(name) / "first/job")], check=True)
        longest = time.monotonic() - begin
        while kills < given.kills:
            projects += 1
            make_project(Path(name) / str(projects))
            job = Path(name) / str(projects) / "job"
            done = False
            while not done:
                process = subprocess.Popen([sys.executable, __file__, "--worker", str(job)])
                try:
                    done = process.wait(chance.uniform(0, longest)) == 0
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    kills += 1
                opened = Project.open(job)
                torn += bool(opened.problems or opened.lost_masks())
                done = done or kills >= given.kills
            propagate(job)
            if masks(job) != expected:
                print(f"project {projects} differs")
                return 1
            shutil.rmtree(job.parent)
    print(
        f"{kills} kills in {projects} projects: {torn} with a problem; all masks are those of an undisturbed one"
    )
    return int(torn > 0)


if __name__ == "__main__":
    sys.exit(main())
