"""``limpet.run_batch``: many videos, several at once; one that fails does so alone, and a killed batch goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from limpet.batch.config import BatchConfig, devices_of
from limpet.batch.dispatch import Event, Worker, dispatch
from limpet.batch.job import SUMMARY_FILES, JobTask
from limpet.batch.job_list import Jobs, check_jobs, open_jobs
from limpet.batch.job_settings import JobSettings
from limpet.batch.ledger import JobOutcome, Ledger, LedgerEntry
from limpet.batch.process_worker import Launch, ProcessWorker, worker_command
from limpet.batch.summary import write_summary
from limpet.core.errors import DataError, OutputError
from limpet.results.run_folder import is_blank


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch is.

    done, failed: jobs, those of earlier commands among them; failed ones are not among those done. total: of all.
    frames: written so far by this command. name, outcome: of the job that just ended, otherwise None.
    """

    done: int
    failed: int
    total: int
    frames: int
    name: str | None = None
    outcome: JobOutcome | None = None


@dataclass(frozen=True)
class BatchResult:
    """What ``limpet.run_batch`` did.

    >>> result = BatchResult(Path("out"), total=40, done=39, failed=1, earlier=12, skipped=())
    >>> result.complete
    False

    folder: with a folder of results for each job, batch.json and batch.html.
    total: jobs. done, failed: how many of them; a job of which a part is missing counts as failed.
    earlier: how many of those done were done by earlier commands.
    skipped: what was not taken as a job, one sentence each.
    """

    folder: Path
    total: int
    done: int
    failed: int
    earlier: int
    skipped: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether all jobs are done."""
        return self.done == self.total


OnProgress = Callable[[BatchProgress], None]
MakeWorkers = Callable[[BatchConfig, Ledger, int], Sequence[Worker]]


def run_batch(
    jobs: str | Path | Jobs,
    out: str | Path,
    config: BatchConfig | None = None,
    *,
    settings: JobSettings | None = None,
    on_progress: OnProgress | None = None,
    make_workers: MakeWorkers | None = None,
) -> BatchResult:
    """Track many videos, several at once, each into a folder of its own.

    The same call goes on with a batch that was killed: jobs that are done are not done again, one that was begun is
    resumed as ``limpet.track(..., resume=True)`` does, and one that failed is tried again.

    >>> import limpet
    >>> limpet.run_batch("clips/", "results/", limpet.BatchConfig(workers=4)).failed  # doctest: +SKIP
    0

    Args:
        jobs: a folder of videos with masks beside them, a CSV or JSON-lines file (docs/batch.md), or ``BatchJob``
            objects that can be gone through several times.
        out: folder of the batch. A job's results lie in the folder of its name inside.
        config: workers, device, limits; None takes the defaults.
        settings: how videos of a folder or a file are tracked, where a line does not say otherwise.
        on_progress: called when frames were written and when a job ended.
        make_workers: makes the workers; None takes processes of this machine, or those of ``config.ray``.

    Raises:
        DataError, OutputError: before any work, if the list cannot be read, two jobs have the same output, or a folder
            of results is there already. OutputError later, if the journal cannot be written or no worker can be
            started.
        KeyboardInterrupt: the workers were ended; the summary says what was done.
    """
    config, out = config or BatchConfig(), Path(out)
    jobs = open_jobs(jobs, out, settings or JobSettings())
    total = check_jobs(jobs)
    skipped = tuple(getattr(jobs, "skipped", ()))
    with Ledger(out) as ledger:
        try:
            earlier, partly, left = _check_folders(jobs, out, ledger)
        except (DataError, OutputError):
            ledger.forget()
            raise
        ledger.start()
        tally = _Tally(earlier, partly, total, on_progress)
        try:
            if left:
                workers = (make_workers or workers_for(config))(config, ledger, left)
                dispatch(_tasks(jobs, out, ledger), workers, ledger, config.retries, tally)
        finally:
            counts = write_summary(out, jobs, ledger, skipped)
    return BatchResult(out, total, counts["done"], total - counts["done"], earlier, skipped)


def process_workers(config: BatchConfig, ledger: Ledger, jobs: int) -> list[Worker]:
    """Workers that are processes of this machine."""
    lock = () if ledger.lock_descriptor is None else (ledger.lock_descriptor,)
    return [
        ProcessWorker(
            Launch(
                worker_command(device, config.threads),
                config.threads,
                ledger.logs / f"worker-{number}.log",
                config.time_limit,
                config.memory_limit,
                lock,
            )
        )
        for number, device in enumerate(devices_of(config, jobs))
    ]


def workers_for(config: BatchConfig) -> MakeWorkers:
    """The runner that a configuration asks for."""
    if config.ray is None:
        return process_workers
    from limpet.batch.ray_worker import ray_workers

    return ray_workers


class _Tally:
    """Counts what happens, and tells it."""

    def __init__(self, done: int, failed: int, total: int, on_progress: OnProgress | None) -> None:
        self._done, self._failed, self._total = done, failed, total
        self._frames = 0
        self._now: dict[str, int] = {}  # frames of the jobs that are being done
        self._tell = on_progress or (lambda progress: None)

    def __call__(self, event: Event) -> None:
        name, outcome = event.name, event.outcome
        self._now[name] = event.frames
        if outcome is not None:
            self._frames += self._now.pop(name)
            self._done += outcome.status == "done"
            self._failed += outcome.status != "done"
        frames = self._frames + sum(self._now.values())
        ended = (None, None) if outcome is None else (name, outcome)
        self._tell(BatchProgress(self._done, self._failed, self._total, frames, *ended))


def _check_folders(jobs: Jobs, out: Path, ledger: Ledger) -> tuple[int, int, int]:
    """How many jobs are done already, how many partly, and how many are left.

    Raises:
        OutputError: a folder of results was not made by this batch, or by a job with other settings.
    """
    done = partly = left = 0
    for job in jobs:
        folder, entry = out / job.name, ledger.find(job.name)
        if entry is None and not is_blank(folder):
            raise OutputError(
                f"{folder} exists, and was not made by this batch; choose another folder for the batch, or move it away"
            )
        if entry is None or not _has_ended(entry, folder):
            left += 1
            continue
        if entry.key != job.key():
            raise OutputError(
                f"the job {job.name!r} was done with other settings or files; repeat the command with those, or choose "
                "another folder for the batch"
            )
        done += entry.status == "done"
        partly += entry.status == "partly"
    if not ledger.started and (mine := [name for name in SUMMARY_FILES if (out / name).exists()]):
        raise OutputError(f"{out / mine[0]} exists, and was not made by this batch; choose another folder")
    return done, partly, left


def _tasks(jobs: Jobs, out: Path, ledger: Ledger) -> Iterator[JobTask]:
    """The jobs that are not done."""
    for job in jobs:
        folder, entry = out.absolute() / job.name, ledger.find(job.name)
        if entry is None:
            yield JobTask(job.absolute(), str(folder))
        elif not _has_ended(entry, folder):
            unsure = entry.status is None and entry.start_again
            yield JobTask(job.absolute(), str(folder), start_again=unsure or entry.key != job.key())


def _has_ended(entry: LedgerEntry, folder: Path) -> bool:
    """Whether there is nothing left to do for a job; one that failed may be tried again."""
    return entry.status in ("done", "partly") and (folder / "report.json").is_file()
