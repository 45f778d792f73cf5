"""Gives jobs to workers, one at a time to each, and tries a job again whose worker died.

It knows nothing of where workers run: that is the business of the runners, ``process_worker`` and ``ray_worker``.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from limpet.batch.job import JobTask, OnFrames
from limpet.batch.ledger import JobOutcome, Ledger

_TICK = 0.2
"""Seconds between two looks at whether the threads still work; Ctrl-C takes effect no later."""


class WorkerDiedError(Exception):
    """A worker ended in the middle of a job. The next job that it is given, it does in another process."""


class Worker(Protocol):
    """Does one job at a time, in a process that may die."""

    def run(self, task: JobTask, on_frames: OnFrames, /) -> JobOutcome:
        """Do a job; ``on_frames`` is called with the frames done and, if known, in all.

        Raises:
            WorkerDiedError: try again. LimpetError: there cannot be such a worker; the batch ends.
        """

    def stop(self) -> None:
        """End at once, from any thread; a ``run`` in progress ends with some error."""

    def close(self) -> None:
        """Free what it holds. May be called again."""


class Event(NamedTuple):
    """What happened to a job: frames were done, or it ended with an outcome."""

    name: str
    frames: int
    outcome: JobOutcome | None = None


def dispatch(
    tasks: Iterator[JobTask],
    workers: Sequence[Worker],
    ledger: Ledger,
    retries: int,
    on_event: Callable[[Event], None],
) -> None:
    """Do all tasks. No more of them are taken than there are workers.

    Args:
        tasks: are taken one by one, each when a worker is free.
        retries: how often a job is tried again after its worker died or an error that was not expected.
        on_event: called in this thread.

    Raises:
        KeyboardInterrupt, LimpetError: all workers were stopped; what was done is in the ledger.
    """
    desk = _Desk(tasks, ledger, retries)
    threads = [threading.Thread(target=desk.serve, args=(worker,), daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads) or not desk.events.empty():
            try:
                event = desk.events.get(timeout=_TICK)
            except queue.Empty:
                continue
            if isinstance(event, BaseException):
                raise event
            on_event(event)
    finally:
        desk.closed.set()
        for worker in workers:
            worker.stop()
        for thread in threads:
            thread.join()
        for worker in workers:
            worker.close()


class _Desk:
    """Where the threads of the workers fetch their tasks and leave their events."""

    def __init__(self, tasks: Iterator[JobTask], ledger: Ledger, retries: int) -> None:
        self._tasks, self._ledger, self._retries = tasks, ledger, retries
        self._mutex = threading.Lock()
        self.events: queue.SimpleQueue[Event | BaseException] = queue.SimpleQueue()
        self.closed = threading.Event()

    def serve(self, worker: Worker) -> None:
        """Do tasks until there are no more."""
        try:
            while (task := self._next()) is not None:
                self._do(worker, task)
            worker.close()  # others may be waiting for what it holds
        except BaseException as error:
            if not self.closed.is_set():
                self.events.put(error)

    def _next(self) -> JobTask | None:
        with self._mutex:
            return None if self.closed.is_set() else next(self._tasks, None)

    def _do(self, worker: Worker, task: JobTask) -> None:
        name, key = task.job.name, task.job.key()
        self._ledger.begin(name, key, task.start_again)
        outcome = JobOutcome("failed", again=True)
        frames = tries = 0

        def on_frames(done: int, total: int | None) -> None:
            nonlocal frames
            frames = done
            self.events.put(Event(name, done))

        while outcome.again and tries <= self._retries:
            tries += 1
            try:
                outcome = worker.run(task, on_frames)
            except WorkerDiedError as error:
                outcome = JobOutcome("failed", str(error), again=True)
            if self.closed.is_set() and outcome.again:
                return
            if frames:  # what was to be discarded is gone
                task = replace(task, start_again=False)
        if outcome.again and tries > 1:
            outcome = replace(outcome, reason=f"{outcome.reason} ({tries} tries)")
        self._ledger.end(name, key, outcome)
        self.events.put(Event(name, outcome.frames, outcome))
