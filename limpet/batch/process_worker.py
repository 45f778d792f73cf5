"""Runner: workers that are processes of this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from limpet.batch.dispatch import WorkerDiedError
from limpet.batch.job import JobTask, OnFrames
from limpet.batch.ledger import JobOutcome
from limpet.core.errors import OutputError

READY, FRAMES, OUTCOME = "ready", "frames", "outcome"
"""Kinds of messages of a worker's process."""
_LOOK = 0.1
"""Seconds between two looks at a job's time and memory."""
_LOG_TAIL = 2000


@dataclass(frozen=True)
class Launch:
    """How a worker's process is started, and what its jobs may take.

    command: the program and its arguments. threads: for libraries; 0 leaves the choice to them.
    log: file that takes what the process says.
    time_limit: seconds of a try. memory_limit: MB (10^6 bytes) of the process. None: no limit.
    keep_open: descriptors that the process inherits.
    """

    command: tuple[str, ...]
    threads: int
    log: Path
    time_limit: float | None = None
    memory_limit: float | None = None
    keep_open: tuple[int, ...] = ()


def worker_command(device: str, threads: int) -> tuple[str, ...]:
    """The program of a worker that tracks on ``device``; modules in the current folder do not count."""
    return (sys.executable, "-P", "-m", "limpet.batch.worker_main", device, str(threads))


class ProcessWorker:
    """One process that does jobs one after another; another one takes its place when it dies.

    See ``limpet.batch.dispatch.Worker``.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def run(self, task: JobTask, on_frames: OnFrames) -> JobOutcome:
        """Do a job.

        Raises:
            WorkerDiedError: the process ended meanwhile. OutputError: no process can be started.
        """
        process = self._running()
        with Limits(process, self._launch) as limits:
            outcome = _converse(process, task, on_frames)
        if limits.exceeded:  # also where the job was done at that moment: the process is gone
            self._discard()
            return outcome or JobOutcome("failed", limits.exceeded)
        if outcome is None:
            raise WorkerDiedError(f"the worker's process {_end_of(self._discard())}")
        if outcome.again:
            self._discard()
        return outcome

    def stop(self) -> None:
        """End the process at once, from any thread; a job that it is doing can be resumed."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._discard(kill=True)

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        if self._process is not None:
            self._discard()
        self._process = process = start_process(self._launch)
        if self._stopped:
            process.kill()
        if _is_ready(process):
            return process
        code = self._discard()
        if code < 0:
            raise WorkerDiedError(f"the worker's process {_end_of(code)}")
        raise OutputError(
            f"the process of a worker {_end_of(code)} before it was ready; the last lines of {self._launch.log}: "
            f"{_tail(self._launch.log)}"
        )

    def _discard(self, kill: bool = False) -> int:
        process, self._process = self._process, None
        assert process is not None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        if kill:
            process.kill()
        return process.wait()


def start_process(launch: Launch) -> subprocess.Popen[str]:
    """Start the process of a worker. Raises OutputError."""
    environment = dict(os.environ)
    if launch.threads:
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment |= dict.fromkeys(names, str(launch.threads))
    try:
        with launch.log.open("ab") as log:
            return subprocess.Popen(
                launch.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                encoding="utf-8",
                pass_fds=launch.keep_open,
                start_new_session=True,  # Ctrl-C reaches the batch, which then ends its workers
            )
    except OSError as error:
        raise OutputError(f"a worker's process cannot be started: {error}") from error


class Limits:
    """While this is open, a process that takes too much time or memory is killed.

    Attributes:
        exceeded: in a sentence, what it took too much of; "" for nothing.
    """

    def __init__(self, process: subprocess.Popen[str], launch: Launch) -> None:
        self._process, self._launch = process, launch
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self.exceeded = ""

    def __enter__(self) -> Limits:
        if self._launch.time_limit is not None or self._launch.memory_limit is not None:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        begin = time.monotonic()
        while not self._end.wait(_LOOK):
            self.exceeded = self._what(time.monotonic() - begin)
            if self.exceeded:
                self._process.kill()
                return

    def _what(self, seconds: float) -> str:
        longest, most = self._launch.time_limit, self._launch.memory_limit
        if longest is not None and seconds > longest:
            return f"it took longer than the time limit of {longest:g} s; what was done so far is kept"
        if most is not None and (taken := memory_of(self._process.pid) / 1e6) > most:
            return f"it took {taken:.0f} MB, more than the memory limit of {most:g} MB; what was done so far is kept"
        return ""


def memory_of(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where it is gone. Raises OutputError where the system does not tell."""
    if sys.platform == "win32":
        raise OutputError("a memory limit cannot be kept on Windows; leave it out")
    statm = Path(f"/proc/{pid}/statm")
    try:
        if statm.parents[1].is_dir() and Path("/proc/self/statm").exists():
            return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        said = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return int(said.stdout or 0) * 1024
    except (OSError, ValueError, IndexError):
        return 0


def _converse(process: subprocess.Popen[str], task: JobTask, on_frames: OnFrames) -> JobOutcome | None:
    """Hand over a task and read what comes back; None if the process ends before the outcome."""
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(task.as_dict()) + "\n")
        process.stdin.flush()
    except OSError:
        return None
    for kind, content in _messages(process.stdout):
        if kind == FRAMES:
            on_frames(content[0], content[1])
        elif kind == OUTCOME:
            return JobOutcome.from_dict(content)
    return None


def _is_ready(process: subprocess.Popen[str]) -> bool:
    return any(kind == READY for kind, _ in _messages(process.stdout))


def _messages(pipe: IO[str] | None) -> Iterator[tuple[str, Any]]:
    """What comes through a pipe until it is closed; a line that was being written when the process died is left out."""
    assert pipe is not None
    try:
        for line in pipe:
            if line.endswith("\n"):
                ((kind, content),) = json.loads(line).items()
                yield kind, content
    except ValueError:  # the pipe was closed by ``stop``
        return


def _end_of(code: int) -> str:
    """How a process ended, as the rest of a sentence."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    by_memory = "; the system does so when memory runs out" if name == "SIGKILL" else ""
    return f"was killed by {name}{by_memory}"


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:].splitlines()
    except OSError:
        return "(there are none)"
    return " / ".join(line.strip() for line in lines[-3:]) or "(there are none)"
