"""Writes the results of one frame while the next is tracked."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self


class WriteBehind:
    """One job at a time, in a thread of its own. Use it in ``with``: on leaving, the last job is done.

    A job that fails raises its error at the next ``put`` or ``wait``, or on leaving; where something else has gone
    wrong before, that is told instead.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="limpet-results")
        self._job: Future[None] | None = None

    def put(self, job: Callable[..., None], *arguments: Any) -> None:
        """Begin ``job(*arguments)``, once the job before is done."""
        self.wait()
        self._job = self._thread.submit(job, *arguments)

    def wait(self) -> None:
        """Until the job is done that was put last."""
        job, self._job = self._job, None
        if job is not None:
            job.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True)
        if error is None:
            self.wait()
