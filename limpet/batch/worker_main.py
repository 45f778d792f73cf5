"""The process of a worker: ``python -m limpet.batch.worker_main DEVICE THREADS``.

It reads tasks from standard input and writes what happens to standard output, a JSON object per line. It ends when
standard input ends: also while it works, so that no worker outlives the process that started it, however that ended.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from limpet.batch.job import JobTask, OnFrames
from limpet.batch.ledger import JobOutcome
from limpet.batch.process_worker import FRAMES, OUTCOME, READY
from limpet.batch.run_job import TrackerShelf, load_tracker, run_job
from limpet.core.files import take_stdout

_BETWEEN = 0.25
"""Seconds between two messages on the frames that are done."""
DEFECT = 3
"""Exit code after an error that was not expected: the process may be damaged, and another one takes its place."""


def serve(do: Callable[[JobTask, OnFrames], JobOutcome]) -> None:
    """Do jobs until standard input ends. ``do`` does one, and raises nothing."""
    send = _sender()
    tasks: queue.SimpleQueue[JobTask] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(tasks,), daemon=True).start()
    send(READY, None)
    while True:
        outcome = do(tasks.get(), _Frames(send))
        send(OUTCOME, asdict(outcome))
        if outcome.again:
            os._exit(DEFECT)


def _receive(tasks: queue.SimpleQueue[JobTask]) -> None:
    for line in sys.stdin:
        tasks.put(JobTask.from_dict(json.loads(line)))
    os._exit(0)  # what is unfinished can be resumed


def _sender() -> Callable[[str, Any], None]:
    """Write messages to what was standard output."""
    own = take_stdout()

    def send(kind: str, content: Any) -> None:
        own.write(json.dumps({kind: content}) + "\n")

    return send


class _Frames:
    """Tells how many frames are done, a few times per second."""

    def __init__(self, send: Callable[[str, Any], None]) -> None:
        self._send, self._told = send, 0.0

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if now - self._told >= _BETWEEN or done == total:
            self._told = now
            self._send(FRAMES, [done, total])


def main() -> None:
    """Serve with the trackers of ``limpet track``."""
    device, threads = sys.argv[1], int(sys.argv[2])
    import torch  # before the clock of the first job starts

    if threads:
        torch.set_num_threads(threads)
    serve(partial(run_job, shelf=TrackerShelf(load_tracker, device)))


if __name__ == "__main__":
    main()
