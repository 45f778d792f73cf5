"""Kills `limpet track` at random moments with SIGKILL, resumes it, and compares every byte with an undisturbed run.

    python benchmarks/kill_and_resume.py                     # 100 runs on the demo clip, each killed
    python benchmarks/kill_and_resume.py --kills 10 --seed 7 --max-size 160
    python benchmarks/kill_and_resume.py --preload --frames 48 --model deaot-nano    # cheaper, for a busy machine

Each moment is a run of its own: started, killed, and resumed with --resume until it ends; some are killed again while
they resume. A third of the moments is spread over the whole time of a run, with its start-up; a third comes a random
time after a random frame; a third after the last frame, while the video and the report are written. Every other run has
a growing memory and a mask at a later frame. "repeated" counts the frames that were done before the kill, but are not
in any saved state; "lost" is the time since the last frame that is in one (starting up does not count).

Every run is a process of its own with an interpreter of its own. With --preload it is forked from a process that has
imported everything and done nothing else, which saves most of the time of a short run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from killing import GLANCE, digests, processes
from killing import start as start_limpet

from limpet.bench.machine import describe_machine, machine_lines
from limpet.core.errors import LimpetError
from limpet.core.masks import write_mask
from limpet.demo.demo_clip import demo_masks, demo_video
from limpet.results.journal import ROW
from limpet.results.run_folder import RunFolder
from limpet.tracking.state_checkpoints import STATE

PRELOADED = (
    "limpet.cli.track",
    "limpet.tracking.track_video",
    "limpet.results.report_page",
    "limpet.results.report_picture",
    "av",
)
AGAIN = 0.3
"""Share of the runs that are killed a second time, and of those a third time."""


@dataclass(frozen=True)
class Task:
    """A command but for its folder, and what an undisturbed run of it did: digests, seconds in all and at the end."""

    command: tuple[str, ...]
    digests: dict[str, str]
    seconds: float
    ending: float
    frames: int


@dataclass(frozen=True)
class Kill:
    """What was there when a run was killed. frames: done. repeated, lost: frames and seconds of work to do again."""

    when: str
    frames: int
    repeated: int
    lost: float


def masks_in(folder: Path) -> int:
    """How many frames have a mask."""
    masks = folder / "masks"
    return sum(path.name[0] != "." for path in masks.iterdir()) if masks.is_dir() else 0


def start(context: BaseContext, command: tuple[str, ...], folder: Path, *more: str) -> BaseProcess:
    """``limpet`` in a process of its own."""
    return start_limpet(
        context, [*command, "--out", str(folder), *more], folder.parent / f"{folder.name}.log"
    )


def undisturbed(context: BaseContext, command: tuple[str, ...], folder: Path) -> Task:
    """Run it once without killing it."""
    begin = time.monotonic()
    process, last, count = start(context, command, folder), begin, 0
    while process.is_alive():
        if (now := masks_in(folder)) > count:
            count, last = now, time.monotonic()
        time.sleep(GLANCE)
    end = time.monotonic()
    if process.exitcode:
        raise SystemExit(f"the undisturbed run failed; see {folder}.log")
    return Task(command, digests(folder), end - begin, end - last, count)


def wait_for_moment(process: BaseProcess, folder: Path, task: Task, chance: random.Random) -> str:
    """Wait until it is time to kill; returns in words what was waited for."""
    kind = chance.choice(("clock", "frame", "end"))
    if kind == "clock":
        delay, frame = chance.uniform(0, task.seconds), 0
    elif kind == "frame":
        delay, frame = chance.uniform(0, 0.5), chance.randint(1, task.frames - 1)
    else:
        delay, frame = chance.uniform(0, task.ending), task.frames
    while frame and process.is_alive() and masks_in(folder) < frame:
        time.sleep(GLANCE)
    until = time.monotonic() + delay
    while process.is_alive() and time.monotonic() < until:
        time.sleep(GLANCE)
    return f"{kind} {delay:.2f} s" if kind == "clock" else f"frame {frame} + {delay:.2f} s"


def kill(process: BaseProcess, folder: Path, when: str, begun: float) -> Kill | None:
    """None when it had ended before. ``begun``: when the process was started, in seconds since the epoch."""
    process.kill()
    moment = time.time()
    process.join()
    if process.exitcode != -signal.SIGKILL:
        return None
    done, saved = frames_known(folder)
    own = sorted(mtime for path in folder.glob("masks/[0-9]*") if (mtime := path.stat().st_mtime) > begun)
    known = folder / f"masks/{saved - 1:05d}.png"
    since = max(own[0], known.stat().st_mtime if known.exists() else 0) if own else moment
    return Kill(when, done, done - saved, moment - since if done > saved else 0.0)


def frames_known(folder: Path) -> tuple[int, int]:
    """How many frames are done, and how many of them the newest state knows of."""
    try:
        _, lines = RunFolder(folder).read()
    except LimpetError:  # before the journal began, or after it was removed
        return masks_in(folder), masks_in(folder)
    done = [line.facts["index"] + 1 for line in lines if line.kind == ROW]
    saved = [line.facts["index"] + 1 for line in lines if line.kind == STATE]
    return max(done, default=0), max(saved, default=0)


def one_moment(
    context: BaseContext, number: int, task: Task, folder: Path, seed: int
) -> tuple[list[Kill], bool]:
    """Start, kill, resume, compare."""
    chance = random.Random(f"{seed} {number}")
    kills: list[Kill] = []
    begun, process = time.time(), start(context, task.command, folder)
    while True:
        killed = kill(process, folder, wait_for_moment(process, folder, task, chance), begun)
        kills += [killed] if killed else []
        begun, process = time.time(), start(context, task.command, folder, "--resume")
        if chance.random() > AGAIN:
            break
    process.join()
    same = process.exitcode == 0 and digests(folder) == task.digests
    if same:
        shutil.rmtree(folder)
    return kills, same


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100, help="runs, each killed at least once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="deaot-t-deformable")
    parser.add_argument("--max-size", type=int, default=96, help="small, so that a run takes seconds")
    parser.add_argument("--frames", type=int, help="only so many of the clip; default: all")
    parser.add_argument("--preload", action="store_true", help="import everything once, not in every run")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    parser.add_argument("--folder", type=Path, help="where to work; what differs is kept there")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    return parser.parse_args()


def tasks(context: BaseContext, folder: Path, options: argparse.Namespace) -> list[Task]:
    masks, frames = demo_masks(), options.frames
    write_mask(folder / "first.png", masks[0])
    write_mask(folder / "later.png", np.where(masks[30] == 2, np.uint8(9), np.uint8(0)))
    plain = ("track", str(demo_video()), "--mask", str(folder / "first.png"), "--device", "cpu")
    plain += ("--model", options.model, "--max-size", str(options.max_size))
    plain += ("--max-frames", str(frames)) if frames else ()
    grown = (*plain, "--memory", "official", "--add", f"30:{folder / 'later.png'}")
    return [undisturbed(context, plain, folder / "plain"), undisturbed(context, grown, folder / "grown")]


def main() -> int:
    options = parse()
    print("\n".join(machine_lines(machine := describe_machine())))
    folder = options.folder or Path(tempfile.mkdtemp(prefix="kill-and-resume-"))
    folder.mkdir(parents=True, exist_ok=True)
    context = processes(*PRELOADED if options.preload else ())
    todo = tasks(context, folder, options)
    for task in todo:
        print(
            f"undisturbed: {task.frames} frames in {task.seconds:.1f} s, the last {task.ending:.1f} s without frame"
        )
    print(f"\n{'run':>4}  {'killed at':<22}{'frames done':>12}{'repeated':>10}{'lost (s)':>10}  identical")

    def run(number: int) -> tuple[list[Kill], bool]:
        kills, same = one_moment(
            context, number, todo[number % 2], folder / f"run-{number:03d}", options.seed
        )
        for place, each in enumerate(kills):
            outcome = ("yes" if same else "NO") if place == len(kills) - 1 else ""
            print(
                f"{number:>4}  {each.when:<22}{each.frames:>12}{each.repeated:>10}{each.lost:>10.2f}  {outcome}",
                flush=True,
            )
        return kills, same

    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = list(pool.map(run, range(options.kills)))
    kills = [each for found, _ in outcomes for each in found]
    identical = sum(same for _, same in outcomes)
    lost = [each.lost for each in kills]
    print(f"\n{len(kills)} kills in {len(outcomes)} runs; {identical} of {len(outcomes)} results identical")
    print(
        f"lost: median {statistics.median(lost):.2f} s, most {max(lost):.2f} s; frames repeated: most "
        f"{max(each.repeated for each in kills)}"
    )
    if options.json:
        figures = {"machine": asdict(machine), "runs": len(outcomes), "identical": identical}
        figures["kills"] = [vars(each) for each in kills]
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"logs are in {folder}, {os.getloadavg()[0]:.1f} load at the end")
    return 0 if identical == len(outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
