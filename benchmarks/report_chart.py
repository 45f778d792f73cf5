"""The picture of docs/benchmarks.md: where the time of a step goes, and how near each stage is to the peak rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from report_page import PLAIN_OBJECTS, Reports, is_plain

from limpet.bench.report import BenchReport
from limpet.core.errors import DataError
from limpet.core.files import atomic_path
from limpet.visual.plotting import COLOURS, load_pyplot

_SHOWN = ("encoder", "long-term", "short-term", "self", "decoder")
"""Stages with a colour of their own; all others together are grey."""
_GREY = "#b8b8b8"


def draw_chart(reports: Reports, path: Path) -> None:
    """Draw the steps with three objects at the larger size.

    Left: milliseconds per frame, with quartiles; an engine that runs a step as a whole is one bar. Right: each stage's
    share of the machine's peak rate.

    Raises:
        MissingExtraError: matplotlib is not installed. DataError: no such measurement among them. OutputError.
    """
    chosen = [report for report in reports.values() if report.run.what == "steps" and is_plain(report)]
    if not chosen:
        raise DataError(f"nothing to draw: no report of steps with {PLAIN_OBJECTS} objects at 480x854")
    pyplot = load_pyplot("drawing a chart")
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(12, 2 + 0.42 * len(chosen)), layout="constrained", width_ratios=(3, 2)
    )
    _times(left, chosen)
    _shares(right, [report for report in chosen if len(report.stages) > 3])
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    pyplot.close(figure)


def _times(axis: Any, reports: Sequence[BenchReport]) -> None:
    for place, report in enumerate(reports):
        left = 0.0
        for name, colour, milliseconds in _parts(report):
            axis.barh(place, milliseconds, left=left, color=colour, label=name if place == 0 else None)
            left += milliseconds
        ms = report.time.ms
        spread = [[ms.median - ms.quartile_1], [ms.quartile_3 - ms.median]]
        axis.errorbar(ms.median, place, xerr=spread, color="black", capsize=3, linewidth=1)
        axis.annotate(
            f"{ms.median:.0f}", (max(left, ms.quartile_3), place), xytext=(6, -3),
            textcoords="offset points", fontsize=8,
        )  # fmt: skip
    axis.set_yticks(range(len(reports)), [_name(report) for report in reports], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("ms per frame")
    axis.margins(x=0.1)
    axis.figure.legend(
        *axis.get_legend_handles_labels(), fontsize=7, loc="outside lower left", ncols=len(_SHOWN) + 1
    )


def _parts(report: BenchReport) -> list[tuple[str, str, float]]:
    """Name, colour and milliseconds of the bars of one measurement; they add up to its median."""
    stages = {row.name: row.ms.median for row in report.stages}
    whole = stages["all"]
    parts = [(name, COLOURS[index], stages.get(name, 0.0)) for index, name in enumerate(_SHOWN)]
    return [*parts, ("the rest, or all of it", _GREY, max(0.0, whole - sum(part for *_, part in parts)))]


def _shares(axis: Any, reports: Sequence[BenchReport]) -> None:
    height = 0.8 / max(1, len(reports))
    for number, report in enumerate(reports):
        rows = {row.name: row.share_of_compute or 0.0 for row in report.stages}
        places = [index + (number - (len(reports) - 1) / 2) * height for index in range(len(_SHOWN) + 1)]
        values = [100 * rows.get(name, 0.0) for name in (*_SHOWN, "all")]
        axis.barh(places, values, height, color=COLOURS[number % len(COLOURS)], label=_name(report))
    axis.set_yticks(range(len(_SHOWN) + 1), [*_SHOWN, "all"], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlim(0, max(100.0, axis.get_xlim()[1]))
    axis.set_xlabel("per cent of the machine's peak rate")
    if reports:
        axis.figure.legend(*axis.get_legend_handles_labels(), fontsize=7, loc="outside lower right", ncols=2)


def _name(report: BenchReport) -> str:
    run = report.run
    return f"{run.model}, {run.engine_name} {run.precision}"
