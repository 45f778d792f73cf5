"""``batch.json`` and ``batch.html``: how every job of a batch ended. Both are written job by job."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from limpet.batch.job import SUMMARY_FILES, BatchJob
from limpet.batch.ledger import JobOutcome, Ledger
from limpet.core.files import atomic_path
from limpet.core.provenance import VERSION
from limpet.results.report_page import STYLE

SCHEMA_VERSION = 1
MOST_ROWS = 1000
"""Rows of the page: of jobs that need attention, and of others."""
WAITING = "waiting"
_LOOK = {"done": "good", "partly": "warn", "failed": "bad", WAITING: "warn"}
Counts = dict[str, int]


def write_summary(folder: Path, jobs: Iterable[BatchJob], ledger: Ledger, skipped: Sequence[str]) -> Counts:
    """Write both files, each whole or not at all.

    Args:
        folder: of the batch. skipped: what was not taken as a job, one sentence each.

    Returns:
        How many jobs have each status.

    Raises:
        OutputError: one cannot be written.
    """
    counts = dict.fromkeys(_LOOK, 0)
    with (
        atomic_path(folder / SUMMARY_FILES[0], sole_writer=True) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        _write_json(file, jobs, ledger, skipped, counts)
    with (
        atomic_path(folder / SUMMARY_FILES[1], sole_writer=True) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        file.writelines(_page(folder, jobs, ledger, skipped, counts))
    return counts


def _write_json(
    file: TextIO, jobs: Iterable[BatchJob], ledger: Ledger, skipped: Sequence[str], counts: Counts
) -> None:
    """The counts stand behind the jobs, as they are known then."""
    head = {"made_by": "limpet batch", "schema_version": SCHEMA_VERSION, "limpet_version": VERSION}
    file.write(json.dumps(head)[:-1] + ', "jobs": [')
    for number, job in enumerate(jobs):
        status, outcome = _status(ledger, job)
        counts[status] += 1
        facts = {
            "name": job.name,
            "video": job.video,
            "mask": job.mask,
            **outcome.as_dict(),
            "status": status,
        }
        file.write((",\n" if number else "\n") + json.dumps(facts))
    file.write("\n], " + json.dumps({"skipped": list(skipped), "counts": counts})[1:] + "\n")


def _status(ledger: Ledger, job: BatchJob) -> tuple[str, JobOutcome]:
    outcome = ledger.outcome(job.name)
    return (WAITING, JobOutcome("failed")) if outcome is None else (outcome.status, outcome)


def _page(
    folder: Path, jobs: Iterable[BatchJob], ledger: Ledger, skipped: Sequence[str], counts: Counts
) -> Iterator[str]:
    title = escape(folder.absolute().name)
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} - limpet batch</title><style>{STYLE}{_TABLE}</style></head><body><main><h1>{title}</h1>"
    )
    total, good = sum(counts.values()), counts["done"]
    yield f'<p class="badge {"good" if good == total else "bad"}">{good} of {total} jobs done</p><dl>'
    yield "".join(f"<div><dt>{name}</dt><dd>{count}</dd></div>" for name, count in counts.items()) + "</dl>"
    rows = ((job, *_status(ledger, job)) for job in jobs)
    yield from _table("Jobs that need attention", (row for row in rows if row[1] != "done"), total - good)
    rows = ((job, *_status(ledger, job)) for job in jobs)
    yield from _table("Jobs that are done", (row for row in rows if row[1] == "done"), good)
    if skipped:
        lines = "".join(f"<li>{escape(line)}</li>" for line in skipped[:MOST_ROWS])
        more = len(skipped) - MOST_ROWS
        rest = f"<li>and {more} more, in batch.json</li>" if more > 0 else ""
        yield f'<h2>What is not a job</h2><ul class="notes">{lines}{rest}</ul>'
    yield f"<footer>limpet {escape(VERSION)}; the same is in batch.json</footer></main></body></html>\n"


def _table(title: str, rows: Iterable[tuple[BatchJob, str, JobOutcome]], count: int) -> Iterator[str]:
    if not count:
        return
    yield f"<h2>{title}</h2><table><tr><th>job<th>status<th>frames<th>objects<th>what to know</tr>"
    for job, status, outcome in islice(rows, MOST_ROWS):
        yield _row(job, status, outcome)
    yield "</table>"
    if count > MOST_ROWS:
        yield f"<p>and {count - MOST_ROWS} more, in batch.json</p>"


def _row(job: BatchJob, status: str, outcome: JobOutcome) -> str:
    name = escape(job.name)
    if outcome.frames:
        name = f'<a href="{escape(quote(job.name))}/report.html">{name}</a>'
    lost = f"lost at times: {', '.join(map(str, outcome.lost))}" if outcome.lost else ""
    words = "<br>".join(escape(line) for line in chain([outcome.reason, lost], outcome.look_first) if line)
    cells: tuple[Any, ...] = (outcome.frames or "", len(outcome.object_ids) or "", words)
    look = f'<td><span class="{_LOOK[status]}">{status}</span>'
    return f"<tr><td>{name}{look}{''.join(f'<td>{cell}' for cell in cells)}</tr>\n"


_TABLE = """
table { width: 100%; border-collapse: collapse; background: var(--card); border: 1px solid var(--rule) }
th, td { text-align: left; vertical-align: top; padding: 6px 12px; border-top: 1px solid var(--rule);
  overflow-wrap: anywhere }
td:first-child { min-width: 9em } th, td:nth-child(n + 2):nth-child(-n + 4) { white-space: nowrap }
th { color: var(--soft); font-size: .8rem; font-weight: 600 } a { color: var(--accent) }
"""
