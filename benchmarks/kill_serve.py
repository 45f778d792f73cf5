"""Kills `limpet serve` at random moments of a propagation; what is on the page in the end must not differ.

    python benchmarks/kill_serve.py                    # 100 kills
    python benchmarks/kill_serve.py --kills 10 --seed 3

The server opens a project with two objects in a short clip, one of which was corrected on its way, and is asked over
HTTP, as the page asks, to propagate; finished frames are committed every 50 ms instead of every second. At a random
moment the server is killed with SIGKILL, or, in a third of the cases, the process beside it that propagates. A killed
server is started again on the same folder at once, while the process of the old one may still be ending; one whose
process was killed must say that the propagation ended, and take the next one. After each kill the project must have no
problem and no lost mask, and in the end every mask and confidence must be that of an undisturbed project.

Both processes are forked from one that has imported everything and done nothing else.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from kill_project import content, is_as_undisturbed, make_project, parse, trouble
from killing import GLANCE, Course, course_of, processes, processor_seconds, start, workers_of

from limpet.bench.machine import describe_machine, machine_lines
from limpet.project.propagation import SCRATCH

PATIENCE = 180
"""Seconds for an answer, on a machine that does other work."""
BETWEEN = 0.3
"""Seconds between two questions to the server."""
OF_WORKER = 1 / 3
PRELOADED = (
    "limpet.cli.serve",
    "limpet.serve.run_server",
    "limpet.serve.worker",
    "limpet.segment",
    "limpet.tracking.load",
    "av",
)


class Served:
    """A server with a project, and the process beside it that propagates."""

    def __init__(self, context: BaseContext, job: Path, model: str) -> None:
        self._job, self._log, self._asked = job, job.parent / "log.txt", 0.0
        self._log.touch()
        told = self._log.stat().st_size
        words = ["serve", str(job), "--no-browser", "--port", "0", "--segmenter", "none"]
        words += ["--model", model, "--device", "cpu"]
        self.process = start(context, words, self._log, save_seconds=0.05)
        until = time.monotonic() + PATIENCE
        while "#token=" not in (line := self._said(told)):
            if not self.process.is_alive() or time.monotonic() > until:
                raise SystemExit(f"the server did not start; see {self._log}")
            time.sleep(GLANCE)
        self._address, _, self._token = line.partition("/#token=")

    def _said(self, told: int) -> str:
        lines = self._log.read_bytes()[told:].decode().splitlines(keepends=True)
        return next((s.split()[-1] for s in lines if "#token=" in s and s.endswith("\n")), "")

    def ask(self, path: str, content: Any = None) -> Any:
        """The answer of the server: to a GET, or with ``content`` to a POST."""
        data = None if content is None else json.dumps(content).encode()
        headers = {"X-Limpet-Token": self._token, "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._address}/api/{path}", data, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def propagate(self) -> None:
        """Have it begin."""
        self._scratch = set(self._job.glob(f"{SCRATCH}*"))
        self.ask("propagate", {})
        self._over, self._asked = False, time.monotonic()

    def worker(self) -> int | None:
        """The process that propagates."""
        return next(iter(workers_of(self.process.pid)), None)

    def works(self) -> bool:
        """Whether the tracker has been loaded and a job begun."""
        return set(self._job.glob(f"{SCRATCH}*")) != self._scratch

    def ended(self) -> bool:
        """Whether the propagation is over; asked a few times a second, since to answer takes processor time."""
        if time.monotonic() - self._asked > BETWEEN:
            self._over, self._asked = self.ask("state")["project"]["running"] is None, time.monotonic()
        return self._over

    def seconds(self) -> float:
        """Processor time of the process that propagates."""
        return processor_seconds(self.worker())


def undisturbed(context: BaseContext, folder: Path, model: str) -> tuple[Course, list[Any]]:
    """How long it takes, and what comes of it."""
    job = make_project(folder)
    served = Served(context, job, model)
    served.propagate()
    course = course_of(served)
    end(served)
    return course, content(job)


def end(served: Served) -> None:
    """Ctrl-C."""
    assert served.process.pid is not None
    os.kill(served.process.pid, signal.SIGINT)
    served.process.join(PATIENCE)


def kill(served: Served, chance: random.Random) -> str:
    """Kill the server or the process beside it; gives which."""
    worker = served.worker()
    if worker is not None and chance.random() < OF_WORKER:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
        until = time.monotonic() + PATIENCE
        while not served.ended() and time.monotonic() < until:
            time.sleep(GLANCE)
        return "worker"
    served.process.kill()
    served.process.join()
    return "server"


def main() -> int:
    """Kill, look, go on, compare; returns the exit code."""
    options = parse(__doc__)
    print("\n".join(machine_lines(describe_machine())))
    folder = options.folder or Path(tempfile.mkdtemp(prefix="kill-serve-"))
    context, chance = processes(*PRELOADED), random.Random(options.seed)
    course, expected = undisturbed(context, folder / "undisturbed", options.model)
    print(f"undisturbed: {course}", flush=True)
    kills: Counter[str] = Counter()
    projects = bad = 0
    while kills.total() < options.kills:
        projects += 1
        job = make_project(folder / str(projects))
        served = Served(context, job, options.model)
        while True:
            served.propagate()
            when = course.wait(chance, served) if kills.total() < options.kills else ""
            while not when and not served.ended():
                time.sleep(GLANCE)
            if served.ended():
                break
            kills[which := kill(served, chance)] += 1
            wrong = trouble(job)
            print(f"{kills.total():>4}  project {projects}, {which}, {when}  {wrong or 'whole'}", flush=True)
            bad += bool(wrong)
            if which == "server":
                served = Served(context, job, options.model)
        end(served)
        bad += not is_as_undisturbed(job, projects, expected)
    print(
        f"{kills.total()} kills in {projects} projects, {kills['server']} of the server and {kills['worker']} of its "
        f"worker; {bad} with a problem or with another mask than the undisturbed one; {os.getloadavg()[0]:.1f} load"
    )
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
