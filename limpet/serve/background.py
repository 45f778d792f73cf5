"""Propagations and exports in processes of their own: started, told to stop, and watched.

A propagation keeps its process, because loading a model takes seconds; each export has one of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from limpet.core.files import output_error
from limpet.core.provenance import usable_cores
from limpet.project.propagation import SCRATCH
from limpet.serve.event_hub import EventHub
from limpet.serve.request_fields import RequestError

STOP_SECONDS = 60.0
"""How long a step of the tracker may take before its process is ended; what it committed stays."""
SAVE_SECONDS = 1.0
"""How often finished frames are committed, and so appear on the page."""
_KEPT_DOWNLOADS, _MOST_EXPORTS = 3, 2
Answer = dict[str, Any]


class WorkerProcess:
    """A process of ``limpet.serve.worker``.

    Args:
        command: starts it.
        on_answer: called in a thread with each answer, and with None when the process has ended.

    Attributes:
        ended: set before that last call.
    """

    def __init__(self, command: Sequence[str], on_answer: Callable[[Answer | None], None]) -> None:
        cores = max(1, usable_cores() - 1)  # one is left for the page
        own = os.environ.get("OMP_NUM_THREADS", "")
        threads = min(cores, int(own)) if own.isdigit() and own != "0" else cores
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
            start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )  # fmt: skip
        self._on_answer = on_answer
        self.ended = threading.Event()
        threading.Thread(target=self._read, name="answers", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it takes commands."""
        return self._process.poll() is None

    def send(self, command: Mapping[str, Any]) -> None:
        """Give it a command. One that has ended meanwhile says so by ``on_answer``."""
        assert self._process.stdin is not None
        try:
            print(json.dumps(command), file=self._process.stdin, flush=True)
        except OSError:
            return

    def close(self, seconds: float) -> None:
        """Let it end by itself, which keeps what it has done; after ``seconds`` end it."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
            self._process.wait(seconds)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                answer = json.loads(line)
            except ValueError:  # a library of the worker printed something
                continue
            if isinstance(answer, dict):
                self._on_answer(answer)
        self._process.wait()
        self.ended.set()
        self._on_answer(None)


@dataclass
class BackgroundJob:
    """A propagation or an export that runs. facts: what the page is told of it (R). message: how it ended."""

    facts: dict[str, Any]
    began: float = field(default_factory=time.monotonic)
    ended: threading.Event = field(default_factory=threading.Event)
    message: str = ""

    @classmethod
    def new(cls, name: str, what: str, revision: int = 0) -> Self:
        """A job that has not done a step. revision: of the project that it began with."""
        return cls(
            {"id": name, "what": what, "step": 0, "steps": None, "frame": None, "started_revision": revision}
        )

    def described(self) -> dict[str, Any]:
        """As the page has it, with the seconds so far."""
        return {**self.facts, "seconds": round(time.monotonic() - self.began, 1)}


class Background:
    """One propagation at a time, and exports.

    Args:
        command: starts a worker.
        hub: is told of progress and of the end.
        on_end: called when a job has ended, before pages are told.
    """

    def __init__(self, command: Sequence[str], hub: EventHub, on_end: Callable[[], None]) -> None:
        self._command, self._hub, self._on_end = command, hub, on_end
        self._lock = threading.RLock()
        self._worker: WorkerProcess | None = None
        self._running: BackgroundJob | None = None
        self._exports: dict[str, tuple[BackgroundJob, WorkerProcess]] = {}
        self._downloads: OrderedDict[str, Path] = OrderedDict()
        self._count = 0

    @property
    def running(self) -> dict[str, Any] | None:
        """The propagation that runs, as the page has it."""
        job = self._running
        return None if job is None else job.described()

    def prepare(self, model: str) -> None:
        """Start the process and load the model, so that the first propagation need not wait for it."""
        with self._lock:
            self._started().send({"do": "load", "id": "load", "model": model})

    def propagate(self, what: str, revision: int, command: Mapping[str, Any]) -> str:
        """Start a propagation and return its id. Raises RequestError if one runs."""
        with self._lock:
            if self._running is not None:
                raise RequestError("a propagation runs already; wait for it, or cancel it", 409)
            worker, name = self._started(), self._new_id("p")
            self._running = job = BackgroundJob.new(name, what, revision)
            worker.send({"do": "propagate", "id": name, "save_seconds": SAVE_SECONDS, **command})
            self._hub.publish("progress", job.described())  # it may have ended by now
        if worker.ended.is_set():  # perhaps before there was a job to end
            self._on_propagation(None)
        return name

    def stop(self) -> str | None:
        """Stop the propagation after its frame, and wait for that.

        Returns:
            What became of it; None if none ran.
        """
        with self._lock:
            job, worker = self._running, self._worker
            if job is None or worker is None:
                return None
            worker.send({"do": "cancel", "id": job.facts["id"]})
        if not job.ended.wait(STOP_SECONDS):
            worker.close(0)
            job.ended.wait(5)
        return job.message

    def export(self, folder: Path, what: str) -> str:
        """Start an export and return its id. Raises OutputError if there is no place for it."""
        with self._lock:
            if len(self._exports) >= _MOST_EXPORTS:
                raise RequestError(f"{_MOST_EXPORTS} exports run already; wait for one of them", 409)
            name = self._new_id("e")
            try:
                out = tempfile.mkdtemp(prefix=f"{SCRATCH}{name}-", dir=folder)
            except OSError as error:
                raise output_error(error, folder) from error
            job = BackgroundJob.new(name, f"export {what}")
            self._downloads[name] = Path(out)
            worker = WorkerProcess(self._command, lambda answer: self._on_export(job, answer))
            self._exports[name] = job, worker
            worker.send({"do": "export", "id": name, "folder": str(folder), "what": what, "out": out})
            while len(self._downloads) > _KEPT_DOWNLOADS:
                shutil.rmtree(self._downloads.popitem(last=False)[1], ignore_errors=True)
        return name

    def download(self, name: str) -> Path:
        """The file that an export wrote. Raises RequestError if there is none."""
        folder = self._downloads.get(name)
        if folder is None or name in self._exports:
            raise RequestError(f"there is no download {name[:40]!r}; export again", 404)
        found = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
        if not found:
            raise RequestError(f"the download {name[:40]!r} was removed; export again", 404)
        return found[0]

    def close(self) -> None:
        """Stop everything; what a propagation has done is kept, and downloads are removed."""
        self.stop()
        with self._lock:
            worker, self._worker = self._worker, None
            exports = [each for _, each in self._exports.values()]
        for each in exports:
            each.close(0)
        if worker is not None:
            worker.close(5)
        for folder in self._downloads.values():
            shutil.rmtree(folder, ignore_errors=True)
        self._downloads.clear()

    def _started(self) -> WorkerProcess:
        if self._worker is None or not self._worker.alive:
            self._worker = WorkerProcess(self._command, self._on_propagation)
        return self._worker

    def _new_id(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{os.getpid()}-{self._count}"

    def _on_propagation(self, answer: Answer | None) -> None:
        job = self._running
        if job is None or (answer is not None and answer["id"] != job.facts["id"]):
            return
        if self._is_end(job, answer):
            self._finish(job, answer)

    def _on_export(self, job: BackgroundJob, answer: Answer | None) -> None:
        name = job.facts["id"]
        if name in self._exports and self._is_end(job, answer):
            _, worker = self._exports.pop(name)
            self._finish(job, answer)
            threading.Thread(target=worker.close, args=(10,), daemon=True).start()

    def _is_end(self, job: BackgroundJob, answer: Answer | None) -> bool:
        if answer is not None and answer["event"] == "progress":
            job.facts |= {name: answer[name] for name in ("step", "steps", "frame")}
            self._hub.publish("progress", job.described())
            return False
        return True

    def _finish(self, job: BackgroundJob, answer: Answer | None) -> None:
        facts: Answer = answer or {
            "outcome": "failed", "message": "its process ended; what was committed is kept", "frames": None,
        }  # fmt: skip
        job.message = facts["message"]
        self._on_end()
        if self._running is job:
            self._running = None
        done = {name: facts[name] for name in ("outcome", "message", "frames")}
        self._hub.publish("done", {"id": job.facts["id"], **done})
        job.ended.set()


def worker_command(model: str, weights: Path | None, device: str) -> list[str]:
    """Starts a worker with these weights."""
    return [sys.executable, "-m", "limpet.serve.worker", str(weights or ""), model, device]
