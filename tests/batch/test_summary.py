"""The summary of many jobs: the page stays small, the file has them all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from limpet.batch import summary
from limpet.batch.job import BatchJob
from limpet.batch.ledger import JobOutcome, Ledger


def test_a_page_of_many_jobs_shows_the_first_of_each_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "MOST_ROWS", 3)
    jobs = [BatchJob(f"{number}.mp4", f"{number}.png", f"job{number}") for number in range(12)]
    with Ledger(tmp_path) as ledger:
        for number, job in enumerate(jobs[:11]):
            outcome = JobOutcome("failed", f"reason {number}") if number % 2 else JobOutcome("done", frames=4)
            ledger.end(job.name, job.key(), outcome)
        (tmp_path / ".batch.0123abcd.tmp.json").write_text("of a command that was killed")
        counts = summary.write_summary(tmp_path, jobs, ledger, [f"skipped {k}" for k in range(5)])
    assert counts == {"done": 6, "partly": 0, "failed": 5, "waiting": 1}
    page = (tmp_path / "batch.html").read_text()
    assert page.count("reason ") == 3 and page.count("/report.html") == 3
    assert page.count("and 3 more, in batch.json") == 2 and page.count("and 2 more, in batch.json") == 1
    written = json.loads((tmp_path / "batch.json").read_text())
    assert [each["status"] for each in written["jobs"]] == ["done", "failed"] * 5 + ["done", "waiting"]
    assert len(written["skipped"]) == 5 and written["counts"] == counts
    assert not list(tmp_path.glob(".batch.*.tmp.*"))
