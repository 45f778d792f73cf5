"""The results of a study as a table of numbers: the paper's and ours, with mean and spread over the seeds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from limpet.core.provenance import commit, machine
from limpet.studies import paper
from limpet.studies.arms import PaperName, Split
from limpet.studies.conditions import Conditions
from limpet.studies.paper import PaperScores
from limpet.studies.result import Result
from limpet.studies.study_run import StudyRun


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation, which is None for a single number."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one number."""
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class Row:
    """An arm. Scores are per cent, seconds those of one run; ``skipped`` says why there are no numbers of ours."""

    name: str
    title: str
    paper: PaperScores | None
    seeds: int = 0
    j_and_f: Spread | None = None
    j: Spread | None = None
    f: Spread | None = None
    seconds: Spread | None = None
    steps: int = 0
    parameters: int = 0
    peak_mb: float = 0.0
    copies: int = 0
    skipped: str = ""


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from, in words and hashes."""

    command: str
    scale: str
    data: dict[str, str]
    scored: str
    teacher: str
    teacher_sha256: str
    start: dict[str, str]
    commits: tuple[str, ...]
    machines: tuple[str, ...]


@dataclass(frozen=True)
class StudyTable:
    """The whole table; ``references`` are scores without training, by what they are."""

    study: str
    title: str
    section: str
    question: str
    remark: str
    rows: tuple[Row, ...]
    references: dict[str, Row]
    others: dict[str, PaperScores]
    facts: Provenance
    paper: PaperName = "distillation"
    split: Split = "davis17"

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, strings and lists."""
        return asdict(self)

    def paper_score(self, row: Row) -> float | None:
        """The paper's J&F of a row on the split that ours is put in order with."""
        found = getattr(row.paper, self.split) if row.paper else None
        return found[0] if isinstance(found, tuple) else found

    def order(self, score: Callable[[Row], float | None]) -> list[str]:
        """Titles of the rows that have a score, the best first."""
        found = [(value, row.title) for row in self.rows if (value := score(row)) is not None]
        return [title for _, title in sorted(found, key=lambda pair: -pair[0])]


def our_score(row: Row) -> float | None:
    """Our mean J&F."""
    return row.j_and_f.mean if row.j_and_f else None


def make_table(run: StudyRun, conditions: Conditions, command: str) -> StudyTable:
    """Gather the rows of a study that was run."""
    study = run.study
    every = [result for results in run.results.values() for result in results]
    rows = tuple(
        _row(arm.name, arm.title, arm.paper, run.results.get(arm.name, []), run.skipped.get(arm.name, ""))
        for arm in study.arms
        if arm.name in run.results or arm.name in run.skipped
    )
    references = {title: _row(title, title, None, [result]) for title, result in run.references.items()}
    scored_on = conditions.scored_on
    facts = Provenance(
        command=command,
        scale=f"{conditions.scale.name} ({conditions.scale.summary})",
        data=conditions.data,
        scored=f"{len(scored_on) if scored_on else 0} sequences, shorter side at most {conditions.scale.max_size}, "
        f"one frame in {conditions.scale.stride}",
        teacher=conditions.teacher.name if conditions.teacher else "none",
        teacher_sha256=conditions.teacher.weights_sha256 if conditions.teacher else "",
        start=conditions.start.as_json(),
        commits=tuple(sorted({result.commit or "unknown" for result in every})) or (commit() or "unknown",),
        machines=tuple(sorted({result.machine for result in every})) or (machine(),),
    )
    others = {name: scores for name, (scores, _) in paper.OTHERS.items()} if study.plot == "memory" else {}
    return StudyTable(
        study.name, study.title, study.section, study.question, study.remark, rows, references, others, facts,
        study.paper, study.split,
    )  # fmt: skip


def _row(
    name: str, title: str, scores: PaperScores | None, results: Sequence[Result], skipped: str = ""
) -> Row:
    if not results:
        return Row(name, title, scores, skipped=skipped)
    return Row(
        name,
        title,
        scores,
        seeds=len(results),
        j_and_f=Spread.of([result.j_and_f for result in results]),
        j=Spread.of([result.j for result in results]),
        f=Spread.of([result.f for result in results]),
        seconds=Spread.of([result.seconds for result in results]),
        steps=results[0].steps,
        parameters=results[0].parameters,
        peak_mb=results[0].peak_mb,
        copies=sum(bool(result.copied_from) for result in results),
    )
