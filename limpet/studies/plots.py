"""The picture of a study: its scores, its scores over memory, or the curves of the losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from limpet.core.files import atomic_path
from limpet.studies.arms import SPLITS, PaperName, Plot
from limpet.studies.result import LOG, read_log
from limpet.studies.table import Row, StudyTable, our_score
from limpet.visual.plotting import COLOURS, load_pyplot

SMOOTHING = 9
TERMS: dict[PaperName, dict[str, tuple[str, ...]]] = {
    "distillation": {
        "attention": ("attention_cka", "attention_kl"),
        "logits (inter + intra)": ("inter", "intra"),
        "whole loss": ("loss",),
    },
    "mobilevos": {"masks": ("labels",), "logits": ("logits_kl",), "representation": ("representation",)},
}
"""What is drawn of a paper's losses (Fig. 5 of both), and the names in the log that add up to it."""


def draw_study(kind: Plot, table: StudyTable, folder: Path) -> Path:
    """Draw FOLDER/plot.png.

    Args:
        folder: of the study; the curves are drawn from FOLDER/<arm>/seed<k>/log.jsonl.

    Raises:
        MissingExtraError: matplotlib is not installed. OutputError.
    """
    pyplot = load_pyplot("drawing a study")
    if kind == "scores":
        figure = _scores(pyplot, table)
    elif kind == "memory":
        figure = _memory(pyplot, table)
    else:
        figure = _curves(pyplot, table, folder)
    figure.suptitle(f"{table.title} ({table.section})")
    path = folder / "plot.png"
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    pyplot.close(figure)
    return path


def _scores(pyplot: Any, table: StudyTable) -> Any:
    """The paper's scores and ours side by side, each with a scale of its own, since they are of different data.

    Dots, not bars: bars would have to begin at zero, and the differences could not be seen.
    """
    rows = list(table.rows)
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(11, 1.6 + 0.5 * len(rows)), sharey=True, layout="constrained"
    )
    names = [row.title for row in rows]
    ours = [our_score(row) for row in rows]
    spreads = [row.j_and_f.deviation or 0.0 if row.j_and_f else 0.0 for row in rows]
    theirs = [table.paper_score(row) for row in rows]
    _panel(left, f"paper: J&F on {SPLITS[table.split]}", names, theirs, [0.0] * len(rows))
    _panel(right, f"ours: J&F, {PurePath(table.facts.data.get('score', '')).name}", names, ours, spreads)
    for number, (title, row) in enumerate(table.references.items()):
        score = our_score(row)
        if score is not None:
            right.axvline(
                score, color="0.5", linewidth=1, linestyle=("--", ":", "-.")[number % 3], label=title
            )
    if table.references:
        right.legend(fontsize=7)
    left.invert_yaxis()
    return figure


def _panel(
    axis: Any, title: str, names: Sequence[str], values: Sequence[float | None], spreads: Sequence[float]
) -> None:
    there = [(i, v, s) for i, (v, s) in enumerate(zip(values, spreads, strict=True)) if v is not None]
    axis.set_title(title, fontsize=10)
    axis.set_yticks(range(len(names)), names)
    if not there:
        return
    places, scores, errors = zip(*there, strict=True)
    axis.errorbar(scores, places, xerr=errors, fmt="o", color=COLOURS[1], capsize=4)
    axis.grid(axis="y", color="0.9")
    axis.margins(x=0.15, y=0.15)
    for place, score, _ in there:
        axis.annotate(f"{score:.1f}", (score, place), xytext=(4, 6), textcoords="offset points", fontsize=8)
    axis.set_xlabel("per cent", fontsize=8)


def _memory(pyplot: Any, table: StudyTable) -> Any:
    """J&F over peak memory, and over parameters."""
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
    rows = [row for row in (*table.rows, *table.references.values()) if row.j_and_f is not None]
    for axis, label, sizes in (
        (axes[0], "MB of tensors at 480x854, one object", [row.peak_mb for row in rows]),
        (axes[1], "million parameters", [row.parameters / 1e6 for row in rows]),
    ):
        for number, (row, size) in enumerate(zip(rows, sizes, strict=True)):
            colour, place = COLOURS[number % len(COLOURS)], (size, our_score(row))
            axis.errorbar(*place, yerr=_deviation(row), fmt="o", color=colour, capsize=3)
            axis.annotate(row.title, place, xytext=(6, 4), textcoords="offset points", fontsize=8)
        axis.set_xlabel(label)
        axis.margins(x=0.25, y=0.15)
    axes[0].set_ylabel("J&F, per cent")
    return figure


def _deviation(row: Row) -> float:
    return (row.j_and_f.deviation if row.j_and_f else None) or 0.0


def _curves(pyplot: Any, table: StudyTable, folder: Path) -> Any:
    """Each of the paper's TERMS over the steps: the mean of the seeds, and their smallest and largest."""
    terms = TERMS[table.paper]
    figure, axes = pyplot.subplots(1, len(terms), figsize=(4 * len(terms), 3.4), layout="constrained")
    for number, row in enumerate(table.rows):
        logs = [read_log(path) for path in sorted((folder / row.name).glob(f"seed*/{LOG}"))]
        for axis, names in zip(axes, terms.values(), strict=True):
            _curve(axis, row.title, [term(log, names) for log in logs], COLOURS[number % len(COLOURS)])
    for axis, title in zip(axes, terms, strict=True):
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("step")
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=8)
    return figure


def _curve(axis: Any, label: str, runs: Sequence[Mapping[int, float]], colour: str) -> None:
    """One arm; only the steps that all its runs have logged are drawn."""
    steps = sorted(set.intersection(*(set(run) for run in runs))) if runs else []
    if not steps:
        return
    smooth = [_running_mean([run[step] for step in steps]) for run in runs]
    columns = list(zip(*smooth, strict=True))
    axis.plot(steps, [sum(c) / len(c) for c in columns], color=colour, linewidth=1.5, label=label)
    axis.fill_between(steps, [min(c) for c in columns], [max(c) for c in columns], color=colour, alpha=0.2)


def term(log: Sequence[Mapping[str, float]], names: Sequence[str]) -> dict[int, float]:
    """By step, the sum of those of ``names`` that a row has; rows without any of them are left out."""
    return {
        int(row["step"]): sum(row[name] for name in names if name in row)
        for row in log
        if any(name in row for name in names)
    }


def _running_mean(values: Sequence[float]) -> list[float]:
    return [
        sum(part) / len(part)
        for i in range(len(values))
        if (part := values[max(0, i - SMOOTHING + 1) : i + 1])
    ]
