"""Jobs, workers that die, and a driver that stops: with workers of this process, which do nothing."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from limpet.batch.config import BatchConfig
from limpet.batch.dispatch import Event, WorkerDiedError, dispatch
from limpet.batch.job import BatchJob, JobTask, OnFrames
from limpet.batch.ledger import JobOutcome, Ledger
from limpet.batch.run_batch import run_batch
from limpet.core.errors import OutputError

DONE = JobOutcome("done", frames=2)


class Idle:
    """Does all jobs at once, but for those in ``plan``: what they raise or give, try by try."""

    def __init__(self, **plan: list[JobOutcome | Exception]) -> None:
        self.plan, self.tasks, self.ended = plan, [], threading.Event()
        self.stopped = False

    def run(self, task: JobTask, on_frames: OnFrames) -> JobOutcome:
        self.tasks.append(task)
        outcome = (self.plan.get(task.job.name) or [DONE]).pop(0)
        if isinstance(outcome, WorkerDiedError) and "late" in str(outcome):
            on_frames(1, 2)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def stop(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.ended.set()


def task(name: str, start_again: bool = False) -> JobTask:
    return JobTask(BatchJob(f"{name}.mp4", f"{name}.png", name), f"/out/{name}", start_again)


def outcomes(
    tmp_path: Path, worker: Idle, *tasks: JobTask, retries: int = 2
) -> tuple[dict[str, JobOutcome | None], list[Event]]:
    events: list[Event] = []
    with Ledger(tmp_path) as ledger:
        dispatch(iter(tasks), [worker], ledger, retries, events.append)
        return {each.job.name: ledger.outcome(each.job.name) for each in tasks}, events


def test_a_worker_that_dies_is_tried_again_and_one_bad_job_is_alone(tmp_path: Path) -> None:
    died = WorkerDiedError("the worker died")
    bad, odd = JobOutcome("failed", "bad video"), JobOutcome("failed", "KeyError: 1", again=True)
    worker = Idle(once=[died, DONE], ever=[died, died, died], bad=[bad], odd=[odd, odd, DONE])
    found, events = outcomes(tmp_path, worker, *map(task, ("once", "bad", "ever", "odd", "plain")))
    assert found == {
        "once": DONE,
        "bad": bad,
        "ever": JobOutcome("failed", "the worker died (3 tries)"),
        "odd": DONE,
        "plain": DONE,
    }
    assert [each.name for each in events if each.outcome] == ["once", "bad", "ever", "odd", "plain"]
    assert worker.ended.is_set()


def test_what_is_to_be_discarded_is_discarded_once(tmp_path: Path) -> None:
    worker = Idle(
        early=[WorkerDiedError("early"), WorkerDiedError("late, after a frame"), DONE],
        other=[WorkerDiedError("late"), DONE],
    )
    outcomes(tmp_path, worker, task("early", start_again=True), task("other"))
    assert [each.start_again for each in worker.tasks] == [True, True, False, False, False]


def test_no_more_tasks_are_taken_than_there_are_workers(tmp_path: Path) -> None:
    taken = []

    def tasks() -> Iterator[JobTask]:
        for number in range(6):
            taken.append(number)
            yield task(f"job{number}")

    release = threading.Semaphore(0)

    class Waiting(Idle):
        def run(self, task: JobTask, on_frames: OnFrames) -> JobOutcome:
            release.acquire()
            return DONE

    seen: list[int] = []

    def on_event(event: Event) -> None:
        seen.append(len(taken))
        release.release()

    with Ledger(tmp_path) as ledger:
        thread = threading.Thread(
            target=lambda: dispatch(tasks(), [Waiting(), Waiting()], ledger, 0, on_event)
        )
        thread.start()
        time.sleep(0.3)
        assert len(taken) == 2
        release.release()
        thread.join(20)
        assert not thread.is_alive()
    assert seen[0] <= 3 and len(taken) == 6


def test_an_error_of_the_batch_ends_it(tmp_path: Path) -> None:
    worker = Idle(a=[OutputError("no process can be started")])
    with Ledger(tmp_path) as ledger, pytest.raises(OutputError, match="no process can be started"):
        dispatch(iter([task("a"), task("b")]), [worker], ledger, 2, lambda event: None)
    assert worker.stopped and [each.job.name for each in worker.tasks] == ["a"]


def test_an_interrupt_stops_the_workers(tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    worker = Idle()
    with Ledger(tmp_path) as ledger, pytest.raises(KeyboardInterrupt):
        dispatch(map(task, map(str, range(1000))), [worker], ledger, 2, interrupt)
    assert worker.stopped and worker.ended.is_set()


@dataclass(frozen=True)
class ManyJobs:
    """A list that is never in memory."""

    count: int

    def __iter__(self) -> Iterator[BatchJob]:
        for number in range(self.count):
            yield BatchJob(f"/videos/{number:06d}.mp4", f"/videos/{number:06d}.png", f"video-{number:06d}")


def peak_of(jobs: int, folder: Path) -> int:
    """Bytes at the most that Python held for a batch of so many jobs."""
    tracemalloc.start()
    try:
        result = run_batch(ManyJobs(jobs), folder, BatchConfig(), make_workers=lambda *_: [Idle()])
        assert result.done == jobs
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class Forgetful(Idle):
    """Keeps no tasks."""

    def run(self, task: JobTask, on_frames: OnFrames) -> JobOutcome:
        return DONE


def test_memory_grows_by_little_per_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than 1 kB: 100,000 jobs take less than 100 MB beside the 60 MB of the program."""
    monkeypatch.setattr(Idle, "run", Forgetful.run)
    small, large = peak_of(100, tmp_path / "small"), peak_of(600, tmp_path / "large")
    assert 0 < (large - small) / 500 < 1000
