"""Workers that are processes: what they say, how they die, and what they may take."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from limpet.batch.dispatch import WorkerDiedError
from limpet.batch.job import BatchJob, JobTask
from limpet.batch.process_worker import Launch, ProcessWorker, memory_of, worker_command
from limpet.core.errors import OutputError

from .stand_in import SAID

STAND_IN = (sys.executable, str(Path(__file__).with_name("stand_in.py")))
Make = Callable[..., ProcessWorker]


def nothing(done: int, total: int | None) -> None: ...


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Make]:
    made: list[ProcessWorker] = []

    def make(**settings: object) -> ProcessWorker:
        launch = Launch(STAND_IN, 1, tmp_path / "worker.log")
        made.append(ProcessWorker(replace(launch, **settings)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()


def task(folder: Path, name: str) -> JobTask:
    return JobTask(BatchJob(f"{name}.mp4", f"{name}.png", name), str(folder / name))


def process_of(folder: Path, name: str) -> list[str]:
    return [line.split()[0] for line in (folder / name / SAID).read_text().splitlines()]


def test_one_process_does_many_jobs_and_another_takes_its_place(worker: Make, tmp_path: Path) -> None:
    one = worker()
    assert one.run(task(tmp_path, "a"), nothing).status == "done"
    with pytest.raises(
        WorkerDiedError, match="was killed by SIGKILL; the system does so when memory runs out"
    ):
        one.run(task(tmp_path, "die"), nothing)
    assert one.run(task(tmp_path, "die"), nothing).status == "done"
    assert one.run(task(tmp_path, "bad"), nothing).reason == "<b>the video</b> is bad"
    assert one.run(task(tmp_path, "odd"), nothing).again
    assert one.run(task(tmp_path, "z"), nothing).status == "done"
    (a, z), die = (process_of(tmp_path, name)[0] for name in "az"), process_of(tmp_path, "die")
    assert a == die[0] and process_of(tmp_path, "bad") == process_of(tmp_path, "odd") == [die[1]]
    assert len({a, die[1], z}) == 3, "after an odd error the process is another one"


def test_a_job_that_takes_too_long_or_too_much_fails_with_its_reason(worker: Make, tmp_path: Path) -> None:
    begin = time.monotonic()
    slow = worker(time_limit=0.5).run(task(tmp_path, "slow"), nothing)
    assert (slow.status, slow.again) == ("failed", False)
    assert slow.reason == "it took longer than the time limit of 0.5 s; what was done so far is kept"
    limited = worker(memory_limit=300)
    large = limited.run(task(tmp_path, "large"), nothing)
    assert "more than the memory limit of 300 MB" in large.reason and not large.again
    assert limited.run(task(tmp_path, "a"), nothing).status == "done"
    assert time.monotonic() - begin < 50


def test_memory_is_that_of_the_process() -> None:
    assert 10e6 < memory_of(os.getpid()) < 20e9
    assert memory_of(2**22 + 1) == 0


def test_a_process_that_cannot_start_says_why(worker: Make, tmp_path: Path) -> None:
    broken = worker(command=(sys.executable, "-c", "import sys; sys.exit('no module named limpet')"))
    with pytest.raises(
        OutputError, match=r"exit code 1 before it was ready; .*worker.log: no module named limpet"
    ):
        broken.run(task(tmp_path, "a"), nothing)
    with pytest.raises(OutputError, match="a worker's process cannot be started"):
        worker(command=(str(tmp_path / "missing"),)).run(task(tmp_path, "a"), nothing)


def test_a_worker_is_stopped_from_another_thread(worker: Make, tmp_path: Path) -> None:
    one = worker()

    def stop() -> None:
        until = time.monotonic() + 40
        while not (tmp_path / "slow" / SAID).exists() and time.monotonic() < until:
            time.sleep(0.02)
        one.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(WorkerDiedError):
        one.run(task(tmp_path, "slow"), nothing)
    thread.join()
    with pytest.raises(WorkerDiedError):  # it does not start again
        one.run(task(tmp_path, "a"), nothing)


def test_modules_in_the_current_folder_do_not_count() -> None:
    assert worker_command("cpu", 1)[1:] == ("-P", "-m", "limpet.batch.worker_main", "cpu", "1")
