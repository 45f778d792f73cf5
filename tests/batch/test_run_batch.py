"""Whole batches, with processes that only pretend to track: what is done twice, what is refused, what is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from limpet.batch.config import BatchConfig
from limpet.batch.dispatch import Worker
from limpet.batch.job import BatchJob
from limpet.batch.job_settings import JobSettings
from limpet.batch.ledger import BATCH_FOLDER, Ledger
from limpet.batch.process_worker import Launch, ProcessWorker
from limpet.batch.run_batch import BatchProgress, BatchResult, run_batch
from limpet.core.errors import DataError, LimpetError, OutputError

from .stand_in import SAID
from .test_process_worker import STAND_IN


def pretenders(config: BatchConfig, ledger: Ledger, jobs: int) -> Sequence[Worker]:
    lock = () if ledger.lock_descriptor is None else (ledger.lock_descriptor,)
    launch = Launch(STAND_IN, 1, ledger.logs / "worker.log", config.time_limit, config.memory_limit, lock)
    return [ProcessWorker(launch) for _ in range(config.workers or 1)]


def jobs_of(*names: str, **settings: object) -> list[BatchJob]:
    made = JobSettings(**settings)  # type: ignore[arg-type]
    return [BatchJob(f"{name}.mp4", f"{name}.png", name, settings=made) for name in names]


def batch(jobs: Sequence[BatchJob], out: Path, **more: object) -> BatchResult:
    config = BatchConfig(**{"workers": 2, **more})  # type: ignore[arg-type]
    return run_batch(jobs, out, config, make_workers=pretenders)


def tries(out: Path) -> dict[str, int]:
    """How often each job was begun."""
    return {path.parent.name: len(path.read_text().splitlines()) for path in out.glob(f"*/{SAID}")}


def test_bad_jobs_fail_alone_and_the_same_call_does_only_what_is_left(tmp_path: Path) -> None:
    jobs, seen = jobs_of("a", "bad", "die", "always-die", "b"), list[BatchProgress]()
    first = run_batch(
        jobs, tmp_path, BatchConfig(workers=2, retries=1), make_workers=pretenders, on_progress=seen.append
    )
    assert (first.total, first.done, first.failed, first.earlier, first.complete) == (5, 3, 2, 0, False)
    assert tries(tmp_path) == {"a": 1, "bad": 1, "die": 2, "always-die": 2, "b": 1}
    assert (seen[-1].done, seen[-1].failed, seen[-1].total, seen[-1].frames) == (3, 2, 5, 9)
    summary = json.loads((tmp_path / "batch.json").read_text())
    assert summary["counts"] == {"done": 3, "partly": 0, "failed": 2, "waiting": 0}
    found = {each["name"]: each for each in summary["jobs"]}
    assert list(found) == ["a", "bad", "die", "always-die", "b"], "in the order of the list"
    assert found["bad"]["reason"] == "<b>the video</b> is bad"
    assert found["always-die"]["reason"].endswith("(2 tries)")
    assert found["a"] == {
        "name": "a", "video": "a.mp4", "mask": "a.png", "status": "done", "reason": "", "frames": 3,
        "object_ids": [7, 200], "lost": [7], "look_first": ["object 7 lost"],
    }  # fmt: skip
    page = (tmp_path / "batch.html").read_text()
    assert "&lt;b&gt;the video&lt;/b&gt; is bad" in page and "3 of 5 jobs done" in page
    assert '<a href="a/report.html">a</a>' in page

    (tmp_path / "b/report.json").unlink()  # its results are gone
    second = batch([*jobs, *jobs_of("new")], tmp_path, retries=0)
    assert (second.total, second.done, second.failed, second.earlier) == (6, 4, 2, 2)
    assert tries(tmp_path) == {"a": 1, "bad": 2, "die": 2, "always-die": 3, "b": 2, "new": 1}


def test_other_settings_of_a_job_that_is_done_or_failed(tmp_path: Path) -> None:
    batch(jobs_of("a", "bad"), tmp_path)
    with pytest.raises(OutputError, match="the job 'a' was done with other settings or files"):
        batch(jobs_of("a", "bad", max_size=320), tmp_path)
    batch([*jobs_of("a"), *jobs_of("bad", max_size=320)], tmp_path)
    starts = [line.split()[1] for line in (tmp_path / "bad" / SAID).read_text().splitlines()]
    assert starts == ["False", "True"], "what was left of the first try is discarded"


def test_what_is_refused_before_any_work(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(DataError, match="the same output"):
        batch(jobs_of("a", "a"), out)
    assert not out.exists()
    (out / "b").mkdir(parents=True)
    (out / "b/thesis.txt").touch()
    with pytest.raises(OutputError, match=r"b exists, and was not made by this batch; choose another folder"):
        batch(jobs_of("a", "b"), out)
    with pytest.raises(OutputError, match=r"batch\.json exists, and was not made by this batch"):
        (out / "batch.json").touch()
        batch(jobs_of("a"), out)
    assert sorted(path.name for path in out.iterdir()) == ["b", "batch.json"]
    (tmp_path / "file").touch()
    with pytest.raises(LimpetError):
        batch(jobs_of("a"), tmp_path / "file")


def test_a_batch_that_ended_before_its_first_job_goes_on(tmp_path: Path) -> None:
    def no_cluster(*_: object) -> list[Worker]:
        raise LimpetError("there is no Ray cluster")

    with pytest.raises(LimpetError, match="no Ray cluster"):
        run_batch(jobs_of("a"), tmp_path, make_workers=no_cluster)
    assert (tmp_path / "batch.json").exists()
    assert batch(jobs_of("a"), tmp_path).complete


def test_names_are_escaped_on_the_page(tmp_path: Path) -> None:
    name = 'a<img src=x onerror="alert(1)">&%?#'.replace("/", "")
    batch(jobs_of(name), tmp_path)
    page = (tmp_path / "batch.html").read_text()
    assert "<img" not in page and "a&lt;img src=x" in page
    assert '<a href="a%3Cimg%20src%3Dx%20onerror%3D%22alert%281%29%22%3E%26%25%3F%23/report.html">' in page


DRIVER = """
import sys
sys.path.insert(0, {tests!r})
from batch.test_run_batch import batch, jobs_of
from pathlib import Path
batch(jobs_of(*sys.argv[2:]), Path(sys.argv[1]))
"""


def test_a_killed_driver_takes_its_workers_along_and_the_batch_goes_on(tmp_path: Path) -> None:
    script, out = tmp_path / "driver.py", tmp_path / "out"
    script.write_text(DRIVER.format(tests=str(Path(__file__).parents[1])))
    names = ["a", "b", "slow", "c", "slow-too"]
    driver = subprocess.Popen([sys.executable, str(script), str(out), *names])
    until = time.monotonic() + 60
    while not all((out / name / SAID).exists() for name in ("slow", "slow-too")):
        assert driver.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    driver.kill()
    driver.wait()
    workers = [int((out / name / SAID).read_text().split()[0]) for name in ("slow", "slow-too")]
    result = batch(jobs_of(*names), out, time_limit=0.3)
    assert not any(map(alive, workers)), "the folder was locked until they were gone"
    assert (result.done, result.earlier, result.failed) == (3, 3, 2)
    assert tries(out) == {"a": 1, "b": 1, "slow": 2, "c": 1, "slow-too": 2}


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_the_journal_of_another_batch_is_kept_when_a_call_is_refused(tmp_path: Path) -> None:
    batch(jobs_of("a"), tmp_path)
    journal = (tmp_path / BATCH_FOLDER / "journal.txt").read_bytes()
    with pytest.raises(OutputError):
        batch(jobs_of("a", max_size=320), tmp_path)
    assert (tmp_path / BATCH_FOLDER / "journal.txt").read_bytes() == journal
