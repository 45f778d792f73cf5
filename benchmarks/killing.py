"""What the scripts that kill limpet share: its commands in processes of their own, their workers, and digests."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from forked_workers import fork_workers

from limpet.cli.main import main as main_of_limpet

GLANCE = 0.05
"""Seconds between two looks at a process, since each takes processor time from it."""
EARLY = 0.2
"""Share of the kills that come while a process starts; the others come while it works."""


def processes(*preloaded: str) -> BaseContext:
    """Where processes come from: each is forked from one that has imported these modules and done nothing else.

    Without modules each has an interpreter of its own, as on the command line; most of the time of a short run is its
    start.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started ends, too
    context = multiprocessing.get_context("forkserver" if preloaded else "spawn")
    if preloaded:
        context.set_forkserver_preload(list(preloaded))
    return context


def start(
    context: BaseContext, arguments: list[str], log: Path, save_seconds: float | None = None
) -> BaseProcess:
    """``limpet`` in a process of its own. save_seconds: how often a propagation commits; None: as it does."""
    process = context.Process(target=_limpet, args=(arguments, log, save_seconds), daemon=True)
    process.start()
    return process


def _limpet(arguments: list[str], log: Path, save_seconds: float | None) -> None:
    """What ``limpet`` does on the command line; all that it says goes into a file."""
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    if arguments[0] in ("serve", "batch") and "--ray" not in arguments:
        fork_workers()
    if save_seconds is not None:
        from limpet.project import propagation
        from limpet.serve import background

        propagation.SAVE_SECONDS = background.SAVE_SECONDS = save_seconds
    sys.argv = ["limpet", *arguments]
    main_of_limpet()


def digests(folder: Path, leave_out: Callable[[Path], bool] = lambda path: False) -> dict[str, str]:
    """The sha256 of every file of a folder, by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not leave_out(path))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def workers_of(process: int | None) -> list[int]:
    """The forked workers of a process, as /proc tells."""
    return [worker for source in _children_of(process) for worker in _children_of(source)]


def descendants(process: int, module: str) -> list[int]:
    """Processes below a process, at any depth, that were started as ``python -m module``."""
    found = []
    for child in _children_of(process):
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        found += [child] if module.encode() in words else descendants(child, module)
    return found


def _children_of(process: int | None) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def processor_seconds(process: int | None) -> float:
    """Processor time that a process has taken so far; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Course:
    """Processor seconds that an undisturbed run took until it worked, and from then on.

    Moments are counted in them, so that other programs on the machine do not move all kills to the start.
    """

    starting: float
    working: float

    def __str__(self) -> str:
        return f"{self.starting:.2f} s of processor time until it works, then {self.working:.2f} s"

    def wait(self, chance: random.Random, run: Run) -> str:
        """Wait for a random moment of a run, or for its end; gives the moment in words."""
        early = chance.random() < EARLY
        taken = chance.uniform(0, self.starting if early else self.working)
        while not early and not run.works() and not run.ended():
            time.sleep(GLANCE)
        until = taken if early else run.seconds() + taken
        while not run.ended() and run.seconds() < until:
            time.sleep(GLANCE)
        return f"{taken:.2f} s after its {'start' if early else 'first step'}"


class Run(Protocol):
    """Something that runs and is going to be killed."""

    def works(self) -> bool:
        """Whether it has begun with what it is for."""

    def ended(self) -> bool:
        """Whether it is gone, or has nothing left to do."""

    def seconds(self) -> float:
        """Processor time of what does the work."""


def course_of(run: Run) -> Course:
    """Watch an undisturbed run to its end."""
    while not run.works() and not run.ended():
        time.sleep(GLANCE)
    begun = last = run.seconds()
    while not run.ended():
        last = run.seconds() or last
        time.sleep(GLANCE)
    return Course(begun, last - begun)
