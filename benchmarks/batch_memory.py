"""How much memory `limpet batch` itself takes for a list of very many jobs, with workers that do nothing.

    python benchmarks/batch_memory.py                        # 100,000 jobs
    python benchmarks/batch_memory.py --jobs 3000

Everything but tracking is done: the list is checked, each job is journalled twice, the summary is written.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from limpet.batch.config import BatchConfig
from limpet.batch.job import BatchJob, JobTask, OnFrames
from limpet.batch.ledger import JobOutcome
from limpet.batch.run_batch import run_batch
from limpet.bench.machine import describe_machine, machine_lines


@dataclass(frozen=True)
class SimulatedJobs:
    """A list that is never in memory."""

    count: int

    def __iter__(self) -> Iterator[BatchJob]:
        for number in range(self.count):
            yield BatchJob(f"/videos/{number:06d}.mp4", f"/videos/{number:06d}.png", f"video-{number:06d}")


class IdleWorker:
    """Says that each job is done."""

    def run(self, task: JobTask, on_frames: OnFrames) -> JobOutcome:
        return JobOutcome("done", frames=100, object_ids=(1, 2, 3))

    def stop(self) -> None: ...

    def close(self) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=100_000)
    jobs = parser.parse_args().jobs
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        result = run_batch(
            SimulatedJobs(jobs), folder, BatchConfig(), make_workers=lambda *_: [IdleWorker()] * 2
        )
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    seconds = time.process_time() - begin
    print(
        f"{result.done} jobs: {peak:.0f} MB at most, {1000 * seconds / jobs:.2f} ms of processor time per job"
    )
    print("\n".join(machine_lines(describe_machine())))


if __name__ == "__main__":
    main()
