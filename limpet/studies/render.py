"""The table of a study as Markdown, as JSON, and on the screen."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.table import Table

from limpet.core.files import atomic_path
from limpet.core.json_text import finite_json
from limpet.studies.arms import SPLITS, PaperName
from limpet.studies.paper import PaperScores, Triple
from limpet.studies.table import Row, Spread, StudyTable, our_score

PAPER_HEAD = ("paper DAVIS-16 J&F / J / F", "paper DAVIS-17 J&F / J / F", "paper YT-18", "paper YT-19")
HEAD = (
    "arm",
    *PAPER_HEAD,
    "ours J&F",
    "ours J",
    "ours F",
    "seeds",
    "steps",
    "s per run",
    "M parameters",
    "MB at 480p",
)
NOT_COMPARABLE = (
    "The paper's columns and ours cannot be compared in level, only in order: the paper's are on the val splits of "
    "DAVIS-16, DAVIS-17 and YouTube-VOS after {theirs}; ours are J&F, J and F of {scored}, from {score}, after {steps} "
    "steps from weights that were trained before. Ours are the mean ± the sample standard deviation over the seeds; a "
    "difference that is smaller than the spread says nothing."
)
LABELS: dict[PaperName, str] = {
    "distillation": "No student saw a label beyond the first mask of a clip; all other masks are the teacher's. The "
    "teacher itself was trained with labels, and so were the weights that students began with.",
    "mobilevos": "Students learned the masks of the clips, and distilled ones the teacher's predictions beside them.",
}
TRAINING: dict[PaperName, str] = {
    "distillation": "230,000 steps of batch 16 on DAVIS and YouTube-VOS",
    "mobilevos": "photos and then 600,000 steps of batch 8 on DAVIS and YouTube-VOS",
}
MEMORY = (
    "MB is the largest number of bytes in tensors that are alive at once, weights and memory included, while three "
    "frames of 480x854 with one object are tracked in float32; the kernels' workspace and Python are left out."
)


def write_report(table: StudyTable, folder: Path) -> tuple[Path, Path]:
    """Write FOLDER/table.md and FOLDER/table.json. Raises OutputError."""
    markdown, plain = folder / "table.md", folder / "table.json"
    with atomic_path(markdown) as temporary:
        temporary.write_text(as_markdown(table), encoding="utf-8")
    with atomic_path(plain) as temporary:
        temporary.write_text(
            finite_json(table.as_json(), "the table", indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    return markdown, plain


def as_markdown(table: StudyTable) -> str:
    """The page: the table, how to read it, and how it was made."""
    lines = [f"# {table.title} ({table.section})", "", table.question, "", *_grid(table), ""]
    lines += _orders(table)
    lines += [f"- {row.title}: not run; {row.skipped}." for row in table.rows if row.skipped]
    lines += [f"- {table.remark}"] if table.remark else []
    if any(row.j_and_f for row in table.rows):
        lines += [f"- {_not_comparable(table)}", f"- {LABELS[table.paper]}", f"- {MEMORY}"]
    if table.others:
        lines += ["", "Table 3 of the paper, DAVIS-17 val J&F / J / F and YouTube-VOS 2018:", ""]
        lines += [
            f"- {name}: {_triple(s.davis17)}; {_number(s.youtube18)}" for name, s in table.others.items()
        ]
    return "\n".join([*lines, "", *_facts(table)]) + "\n"


def on_screen(table: StudyTable) -> Table:
    """A table of 80 columns: the paper's J&F on DAVIS-17 val and ours."""
    shown = Table(title=f"{table.title}: J&F", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("arm", overflow="fold")
    for column in ("paper", "ours", "seeds", "s per run"):
        shown.add_column(column, justify="right", no_wrap=True)
    for row in table.rows:
        shown.add_row(
            row.title, _number(table.paper_score(row)), _spread(row.j_and_f), str(row.seeds), _seconds(row)
        )
    shown.add_section()
    for row in table.references.values():
        shown.add_row(row.title, "", _spread(row.j_and_f), "", "", style="dim")
    return shown


def _grid(table: StudyTable) -> list[str]:
    lines = [" | ".join(("", *HEAD, "")).strip(), "|" + "---|" * len(HEAD)]
    for row in (*table.rows, *table.references.values()):
        cells = (row.title, *_paper_cells(row.paper), *_our_cells(row))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _paper_cells(scores: PaperScores | None) -> tuple[str, ...]:
    if scores is None:
        return ("-",) * len(PAPER_HEAD)
    return (
        _triple(scores.davis16),
        _triple(scores.davis17),
        _number(scores.youtube18),
        _number(scores.youtube19),
    )


def _our_cells(row: Row) -> tuple[str, ...]:
    if row.j_and_f is None:
        return ("-",) * (len(HEAD) - len(PAPER_HEAD) - 1)
    took = (f"{row.parameters / 1e6:.2f}", f"{row.peak_mb:.0f}")
    return (
        _spread(row.j_and_f),
        _spread(row.j),
        _spread(row.f),
        str(row.seeds),
        str(row.steps),
        _seconds(row),
        *took,
    )


def _orders(table: StudyTable) -> list[str]:
    """The order of the arms in the paper and here, for the arms that both have."""
    theirs_of = table.paper_score
    both = [row.title for row in table.rows if theirs_of(row) is not None and our_score(row) is not None]
    if len(both) < 2:
        return []
    theirs, ours = (
        [title for title in table.order(score) if title in both] for score in (theirs_of, our_score)
    )
    return [
        f"- Order in the paper ({SPLITS[table.split]} J&F): {' > '.join(theirs)}.",
        f"- Order here: {' > '.join(ours)}.",
    ]


def _not_comparable(table: StudyTable) -> str:
    steps = " or ".join(str(n) for n in sorted({row.steps for row in table.rows if row.steps})) or "no"
    return NOT_COMPARABLE.format(
        theirs=TRAINING[table.paper],
        scored=table.facts.scored,
        score=table.facts.data.get("score", "nothing"),
        steps=steps,
    )


def _facts(table: StudyTable) -> list[str]:
    facts = table.facts
    copies = sum(row.copies for row in table.rows)
    shared = f"; {copies} runs are copies of runs with the same recipe in another study" if copies else ""
    return [
        f"    {facts.command}",
        "",
        f"Scale {facts.scale}. Data: {', '.join(f'{k} {v}' for k, v in facts.data.items())}. Teacher {facts.teacher} "
        f"(sha256 {facts.teacher_sha256 or 'none'}), start {_start(facts.start)}. Commit {', '.join(facts.commits)}; "
        f"{'; '.join(facts.machines)}{shared}.",
    ]


def _start(start: dict[str, str]) -> str:
    return ", ".join(f"{kind} (sha256 {digest})" for kind, digest in start.items())


def _triple(values: Triple | None) -> str:
    return "-" if values is None else " / ".join(f"{value:.2f}" for value in values)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return f"{spread.mean:.2f}" + ("" if spread.deviation is None else f" ± {spread.deviation:.2f}")


def _seconds(row: Row) -> str:
    return f"{row.seconds.mean:.0f}" if row.seconds and row.seconds.mean else "-"
