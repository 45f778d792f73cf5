"""Kills `limpet batch` at random moments with SIGKILL, repeats the command, and compares every byte of all results.

    python benchmarks/kill_batch.py                          # 100 kills over 40 short clips
    python benchmarks/kill_batch.py --kills 20
    python benchmarks/kill_batch.py --kills 3 --clips 6 --frames 20

One run is left undisturbed. In others, at each moment either the command or one of its workers is killed, as a seeded
dice says; a command that was killed is started again, and a worker's place is taken by the command itself. When all
jobs are done, every file of every job must be the one of the undisturbed run, and no job may have been done twice. Then
another run begins, until there were enough kills: at most one for two clips in a run, so that it comes to an end.

The command and its workers are forked from a process that has imported everything and done nothing else.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from killing import GLANCE, digests, processes, processor_seconds, start, workers_of

from limpet.batch.job import SUMMARY_FILES
from limpet.batch.ledger import BATCH_FOLDER, ENDED
from limpet.bench.machine import describe_machine, machine_lines
from limpet.core.masks import write_mask
from limpet.demo.demo_clip import demo_masks, demo_video
from limpet.results.journal import Journal
from limpet.video.open import open_video

OF_WORKERS = 0.5
"""Share of the kills that end a worker."""
PRELOADED = (
    "limpet.cli.batch",
    "limpet.batch.run_batch",
    "limpet.batch.worker_main",
    "limpet.tracking.load",
    "limpet.results.report_page",
    "limpet.results.report_picture",
    "av",
)


def make_clips(folder: Path, count: int, frames: int) -> None:
    """Folders of frames from the demo clip, each beginning at another frame, with their masks beside them."""
    from PIL import Image

    folder.mkdir(parents=True)
    masks = demo_masks()
    with open_video(demo_video()) as reader:
        images = [np.asarray(frame.image) for frame in reader]
    for number in range(count):
        begin = number * 7 % (len(images) - frames)
        clip = folder / f"clip-{number:02d}"
        clip.mkdir()
        for index in range(frames):
            Image.fromarray(images[begin + index]).save(clip / f"{index:03d}.jpg")
        write_mask(folder / f"{clip.name}.png", masks[begin])


def run(context: BaseContext, folder: Path, out: Path, options: argparse.Namespace) -> BaseProcess:
    """The command, with what it says in a file beside its folder."""
    words = ["batch", str(folder / "clips"), "--out", str(out), "--workers", str(options.workers)]
    words += ["--retries", "9", "--model", options.model, "--max-size", str(options.max_size)]
    return start(context, [*words, "--device", "cpu"], out.with_suffix(".log"))


def results(out: Path) -> dict[str, str]:
    """Every file of the results, and the summary but for the page, which has the name of its folder."""
    return digests(out, lambda path: BATCH_FOLDER in path.parts or path.name == SUMMARY_FILES[1])


def undisturbed(context: BaseContext, folder: Path, options: argparse.Namespace) -> float:
    """Processor seconds of its workers."""
    process, taken = run(context, folder, folder / "undisturbed", options), dict[int, float]()
    while process.is_alive():
        taken |= {
            worker: max(taken.get(worker, 0), processor_seconds(worker)) for worker in workers_of(process.pid)
        }
        time.sleep(GLANCE)
    if process.exitcode:
        raise SystemExit(f"the undisturbed run failed; see {folder}/undisturbed.log")
    return sum(taken.values())


def wait(process: BaseProcess, seconds: float) -> None:
    """Until the workers have taken so much processor time from now on, or the command has ended."""
    before = {worker: processor_seconds(worker) for worker in workers_of(process.pid)}
    while process.is_alive():
        now = sum(processor_seconds(worker) - before.get(worker, 0) for worker in workers_of(process.pid))
        if now >= seconds:
            return
        time.sleep(GLANCE)


def kill_something(process: BaseProcess, chance: random.Random) -> str:
    """Kill the command, or one of its workers; returns which."""
    workers = workers_of(process.pid)
    if workers and chance.random() < OF_WORKERS:
        try:
            os.kill(chance.choice(workers), signal.SIGKILL)
        except ProcessLookupError:
            return "nothing"
        return "worker"
    process.kill()
    process.join()
    return "command"


def disturbed(
    context: BaseContext, folder: Path, out: Path, options: argparse.Namespace, most: int, spacing: float,
    chance: random.Random,
) -> Counter[str]:  # fmt: skip
    """One run with at most so many kills; gives what was killed, and under "wrong" 1 if it did not come out right."""
    kills: Counter[str] = Counter()
    process = run(context, folder, out, options)
    while kills.total() < most and process.is_alive():
        wait(process, chance.uniform(0, spacing))
        if process.is_alive():
            kills[kill_something(process, chance)] += 1
        if process.exitcode == -signal.SIGKILL:
            process = run(context, folder, out, options)
    process.join()
    again = sum(count > 1 for count in ended(out).values())
    same = results(out) == results(folder / "undisturbed")
    print(
        f"{out.name}: {kills['command']} kills of the command, {kills['worker']} of a worker; the last command ended "
        f"with {process.exitcode}; jobs done more than once: {again}; all results identical: {'yes' if same else 'NO'}",
        flush=True,
    )
    kills["wrong"] = int(not same or process.exitcode != 0 or again > 0)
    return kills


def ended(out: Path) -> Counter[str]:
    """How often each job has ended; once is right."""
    lines = Journal(out / BATCH_FOLDER / "journal.txt").read()
    return Counter(line.facts["name"] for line in lines if line.kind == ENDED)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--frames", type=int, default=24, help="of each clip")
    parser.add_argument("--model", default="deaot-nano")
    parser.add_argument("--max-size", type=int, default=96, help="small, so that a clip takes seconds")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to work; it is kept")
    return parser.parse_args()


def main() -> int:
    options = parse()
    print("\n".join(machine_lines(describe_machine())))
    folder = options.folder or Path(tempfile.mkdtemp(prefix="kill-batch-"))
    context, chance = processes(*PRELOADED), random.Random(options.seed)
    make_clips(folder / "clips", options.clips, options.frames)
    seconds = undisturbed(context, folder, options)
    print(
        f"undisturbed: {options.clips} clips of {options.frames} frames in {seconds:.1f} s of processor time",
        flush=True,
    )
    most = max(1, options.clips // 2)
    kills: Counter[str] = Counter()
    runs = 0
    while (left := options.kills - kills["command"] - kills["worker"]) > 0:
        runs += 1
        out = folder / f"killed-{runs}"
        kills += disturbed(context, folder, out, options, min(most, left), 2 * seconds / most, chance)
        if not kills["wrong"]:
            shutil.rmtree(out)
    print(
        f"{kills['command'] + kills['worker']} kills, {kills['command']} of the command and {kills['worker']} of a "
        f"worker, in {runs} runs of {options.clips} jobs; {kills['wrong']} runs came out wrong; "
        f"{os.getloadavg()[0]:.1f} load"
    )
    if not kills["wrong"] and options.folder is None:
        shutil.rmtree(folder)
    else:
        print(f"everything is in {folder}")
    return int(kills["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
