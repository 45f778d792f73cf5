"""A process beside the server that propagates and exports, so that neither frames nor strokes wait for it.

It reads commands as lines of JSON from its standard input and answers with lines of JSON. It works on the project's
folder as any other program does. When its input ends, because the server was killed, it stops after the frame that it
is working on, keeps what is done, and ends.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any, TextIO

from limpet.core.errors import LimpetError
from limpet.core.files import take_stdout
from limpet.core.tracker_protocol import AnyTracker
from limpet.project import Project
from limpet.project.propagation import Done, Outcome, Reporting
from limpet.serve.downloads import write_download

PROGRESS_SECONDS = 0.2
NOTHING = "nothing to do: no frame there is empty, stale or free to change"
Load = Callable[[str], AnyTracker[Any]]


class CancelledError(Exception):
    """Raised between two frames of a propagation or an export that was cancelled."""


@dataclass
class Jobs:
    """The commands that wait, and the one that is being done.

    cancelled: ids of commands that are to stop. ended: whether the server is gone.
    """

    waiting: Queue[dict[str, Any] | None] = field(default_factory=Queue)
    cancelled: set[str] = field(default_factory=set)
    ended: threading.Event = field(default_factory=threading.Event)

    def read(self, lines: TextIO) -> None:
        """Take commands until the input ends."""
        for line in lines:
            command = json.loads(line)
            if command["do"] == "cancel":
                self.cancelled.add(command["id"])
            else:
                self.waiting.put(command)
        self.ended.set()
        self.waiting.put(None)

    def check(self, job: str) -> None:
        """Raises CancelledError if the job is to stop."""
        if self.ended.is_set() or job in self.cancelled:
            raise CancelledError


class Teller:
    """Writes answers, and progress at most five times a second."""

    def __init__(self, out: TextIO, job: str) -> None:
        self._out, self._job, self._told = out, job, 0.0

    def __call__(self, event: str, **facts: Any) -> None:
        print(json.dumps({"event": event, "id": self._job, **facts}), file=self._out, flush=True)

    def progress(self, step: int, steps: int | None, frame: int | None) -> None:
        """Tell how far it is, unless that was told a moment ago."""
        if time.monotonic() - self._told >= PROGRESS_SECONDS:
            self._told = time.monotonic()
            self("progress", step=step, steps=steps, frame=frame)


def work(load: Load, commands: TextIO, answers: TextIO) -> None:
    """Do commands until the input ends.

    Args:
        load: gives the tracker of a name; the last one is kept.
    """
    jobs = Jobs()
    threading.Thread(target=jobs.read, args=(commands,), daemon=True).start()
    trackers = _OneTracker(load)
    while (command := jobs.waiting.get()) is not None:
        teller = Teller(answers, command["id"])
        try:
            message, frames = _do(command, jobs, teller, trackers)
            teller("done", outcome="finished", message=message, frames=frames)
        except CancelledError as reason:
            notes = getattr(reason, "__notes__", ["nothing was changed"])
            teller("done", outcome="cancelled", message="; ".join(notes), frames=None)
        except LimpetError as error:
            message = "; ".join([str(error), *getattr(error, "__notes__", [])])
            teller("done", outcome="failed", message=message, frames=None)
        except Exception as error:
            teller("done", outcome="failed", message=f"{type(error).__name__}: {error}", frames=None)


def _do(
    command: Mapping[str, Any], jobs: Jobs, teller: Teller, trackers: _OneTracker
) -> tuple[str, int | None]:
    jobs.check(command["id"])
    if command["do"] == "load":
        trackers.get(command["model"])
        return "", None
    project = Project.open(command["folder"])
    if command["do"] == "export":

        def on_frame(done: int, total: int | None) -> None:
            jobs.check(command["id"])
            teller.progress(done, total, None)

        return str(write_download(project, command["what"], Path(command["out"]), on_frame)), None
    outcome = _propagate(project, command, jobs, teller, trackers.get(command["model"]))
    if not outcome.frames:
        return NOTHING, 0
    lost = f"; {len(outcome.undecoded)} frames could not be decoded" if outcome.undecoded else ""
    return f"{outcome.frames} frames are propagated{lost}", outcome.frames


def _propagate(
    project: Project, command: Mapping[str, Any], jobs: Jobs, teller: Teller, tracker: AnyTracker[Any]
) -> Outcome:
    jobs.check(command["id"])

    def on_step(done: Done, step: int, steps: int | None) -> None:
        teller.progress(step, steps, done.frame)
        jobs.check(command["id"])

    reporting = Reporting(command["save_seconds"], on_step)
    start, stop, objects = command["start"], command["stop"], command["objects"]
    if command["mode"] == "forwards":
        return project.propagate_forwards(tracker, start, stop, objects, reporting=reporting)
    if command["mode"] == "backwards":
        return project.propagate_backwards(tracker, start, stop, objects, reporting=reporting)
    if command["mode"] == "between":
        return project.propagate_between(tracker, start, stop, objects, reporting=reporting)
    return project.propagate(tracker, reporting=reporting)


class _OneTracker:
    """Keeps the tracker that was used last."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._name = ""
        self._tracker: AnyTracker[Any] | None = None

    def get(self, name: str) -> AnyTracker[Any]:
        if self._tracker is None or self._name != name:
            self._tracker = None  # two of them need not be in memory
            self._tracker, self._name = self._load(name), name
        return self._tracker


def main() -> None:
    """The process: its arguments are the weights file, which may be "", of which model, and the device."""
    weights, of_model, device = sys.argv[1:4]
    answers = take_stdout()
    if hasattr(os, "nice"):
        os.nice(5)  # the page comes first

    def load(name: str) -> AnyTracker[Any]:
        import limpet

        own = weights if weights and name == of_model else None
        return limpet.load(name, weights=own, device=device)

    work(load, sys.stdin, answers)


if __name__ == "__main__":
    main()
