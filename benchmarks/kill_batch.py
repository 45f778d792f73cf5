"""Kills `limpet batch` at random moments with SIGKILL, repeats the command, and compares every byte of all results.

    python benchmarks/kill_batch.py                          # 100 kills over 40 short clips
    python benchmarks/kill_batch.py --kills 20
    python benchmarks/kill_batch.py --kills 3 --clips 6 --frames 20

One run is left undisturbed. In others, at each moment either the command or one of its workers is killed, as a seeded
dice says; a command that was killed is started again, and a worker's place is taken by the command itself. When all
jobs are done, every file of every job must be the one of the undisturbed run, and no job may have been done twice. Then
another run begins, until there were enough kills: at most one for two clips in a run, so that it comes to an end.

The command and its workers are forked from a process that has imported everything and done nothing else.

    python benchmarks/kill_batch.py --kills 20 --ray

With --ray the runs that are disturbed use a Ray cluster of two nodes of one core on this machine, one of which is
removed in the middle of each run, and another one added; workers are then started as always.
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
from pathlib import Path
from typing import Any

import numpy as np
from killing import EARLY, GLANCE, descendants, digests, processes, processor_seconds, start, workers_of

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


class Cluster:
    """Two Ray nodes of one core each; ``lose`` removes one and adds another."""

    def __init__(self) -> None:
        os.environ |= {"RAY_memory_monitor_refresh_ms": "0", "RAY_DISABLE_IMPORT_WARNING": "1"}
        from ray import cluster_utils

        self._node = {"num_cpus": 1, "object_store_memory": 80_000_000}
        head = {**self._node, "include_dashboard": False}
        self._cluster: Any = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
        self._add()
        self.address = str(self._cluster.address)

    def lose(self) -> None:
        """As a machine that is switched off."""
        self._cluster.remove_node(next(iter(self._cluster.worker_nodes)), allow_graceful=False)
        self._add()

    def _add(self) -> None:
        for _ in range(5):
            try:
                self._cluster.add_node(**self._node)
                return
            except Exception as error:  # Ray waits 30 seconds, which may be too little beside other programs
                print(f"a node did not start: {error}", flush=True)
        raise SystemExit("no second node starts; the machine has too much to do")

    def close(self) -> None:
        """End both."""
        self._cluster.shutdown()


class Batch:
    """`limpet batch` over and over, with what it says in a file beside its folder."""

    def __init__(
        self,
        context: BaseContext,
        folder: Path,
        name: str,
        options: argparse.Namespace,
        cluster: Cluster | None,
    ) -> None:
        self.out, self.cluster, self._context = folder / name, cluster, context
        self._words = [
            "batch",
            str(folder / "clips"),
            "--out",
            str(self.out),
            "--workers",
            str(options.workers),
        ]
        self._words += ["--retries", "9", "--model", options.model, "--max-size", str(options.max_size)]
        self._words += ["--device", "cpu", *(["--ray", cluster.address] if cluster else [])]
        self.start()

    def start(self) -> None:
        """Give the command."""
        self.process = start(self._context, self._words, self.out.with_suffix(".log"))

    def workers(self) -> list[int]:
        """Its workers; on a cluster they are below this process, which started the nodes."""
        if self.cluster is None:
            return workers_of(self.process.pid)
        return descendants(os.getpid(), "limpet.batch.worker_main")

    def masks(self) -> int:
        """How many there are."""
        return sum(1 for _ in self.out.glob("*/masks/[0-9]*"))

    def wait(self, seconds: float, early: bool) -> None:
        """Until a mask more is there, unless ``early``, and then so much processor time of the workers; or the end."""
        masks = self.masks()
        while not early and self.process.is_alive() and self.masks() == masks:
            time.sleep(GLANCE)
        before = {worker: processor_seconds(worker) for worker in self.workers()}
        while self.process.is_alive():
            if sum(processor_seconds(worker) - before.get(worker, 0) for worker in self.workers()) >= seconds:
                return
            time.sleep(GLANCE)


def results(out: Path) -> dict[str, str]:
    """Every file of the results, and the summary but for the page, which has the name of its folder."""
    return digests(out, lambda path: BATCH_FOLDER in path.parts or path.name == SUMMARY_FILES[1])


def undisturbed(batch: Batch) -> float:
    """Processor seconds of its workers."""
    taken: dict[int, float] = {}
    while batch.process.is_alive():
        taken |= {each: max(taken.get(each, 0), processor_seconds(each)) for each in batch.workers()}
        time.sleep(GLANCE)
    if batch.process.exitcode:
        raise SystemExit(f"the undisturbed run failed; see {batch.out}.log")
    return sum(taken.values())


def kill_something(batch: Batch, chance: random.Random) -> str:
    """Kill the command, or one of its workers; returns which."""
    workers = batch.workers()
    if workers and chance.random() < OF_WORKERS:
        try:
            os.kill(chance.choice(workers), signal.SIGKILL)
        except ProcessLookupError:
            return "nothing"
        return "worker"
    batch.process.kill()
    batch.process.join()
    return "command"


def disturbed(batch: Batch, most: int, spacing: float, chance: random.Random) -> Counter[str]:
    """One run with at most so many kills; gives what was killed, and under "wrong" 1 if it did not come out right."""
    kills: Counter[str] = Counter()
    while kills["command"] + kills["worker"] < most and batch.process.is_alive():
        batch.wait(chance.uniform(0, spacing), chance.random() < EARLY)
        if batch.cluster and not kills["node"] and kills.total() >= most // 2:
            batch.cluster.lose()
            kills["node"] = 1
        elif batch.process.is_alive():
            kills[kill_something(batch, chance)] += 1
        if batch.process.exitcode == -signal.SIGKILL:
            batch.start()
    batch.process.join()
    again = sum(count > 1 for count in ended(batch.out).values())
    same = results(batch.out) == results(batch.out.parent / "undisturbed")
    print(
        f"{batch.out.name}: {kills['command']} kills of the command, {kills['worker']} of a worker, {kills['node']} "
        f"nodes removed; the last command ended with {batch.process.exitcode}; jobs done more than once: {again}; all "
        f"results identical: {'yes' if same else 'NO'}",
        flush=True,
    )
    kills["wrong"] = int(not same or batch.process.exitcode != 0 or again > 0)
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
    parser.add_argument(
        "--ray", action="store_true", help="on a Ray cluster of two nodes; one is removed in each run"
    )
    parser.add_argument("--folder", type=Path, help="where to work; it is kept")
    return parser.parse_args()


def main() -> int:
    options = parse()
    print("\n".join(machine_lines(describe_machine())))
    folder = options.folder or Path(tempfile.mkdtemp(prefix="kill-batch-"))
    context, chance = processes(*PRELOADED), random.Random(options.seed)
    make_clips(folder / "clips", options.clips, options.frames)
    seconds = undisturbed(Batch(context, folder, "undisturbed", options, None))
    print(
        f"undisturbed: {options.clips} clips of {options.frames} frames in {seconds:.1f} s of processor time",
        flush=True,
    )
    most = max(1, options.clips // 2)
    kills: Counter[str] = Counter()
    cluster = Cluster() if options.ray else None
    runs = 0
    while (left := options.kills - kills["command"] - kills["worker"]) > 0:
        runs += 1
        batch = Batch(context, folder, f"killed-{runs}", options, cluster)
        kills += disturbed(batch, min(most, left), 2 * seconds / most, chance)
        if not kills["wrong"]:
            shutil.rmtree(batch.out)
    if cluster is not None:
        cluster.close()
    print(
        f"{kills['command'] + kills['worker']} kills, {kills['command']} of the command and {kills['worker']} of a "
        f"worker, and {kills['node']} nodes removed, in {runs} runs of {options.clips} jobs; "
        f"{kills['wrong']} runs came out wrong; {os.getloadavg()[0]:.1f} load"
    )
    if not kills["wrong"] and options.folder is None:
        shutil.rmtree(folder)
    else:
        print(f"everything is in {folder}")
    return int(kills["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
