"""Tables of VOT's measures: our own, those that the toolkit has computed, and those that papers report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.table import Table

from limpet.core.errors import DataError
from limpet.evaluation.vot.multistart import MultistartScore
from limpet.evaluation.vot.quality import QualityScore
from limpet.evaluation.vot.score_workspace import OverlapScore, VotResult, VotScore

UNOFFICIAL = "limpet's own measures, not official: only those of VOT's toolkit are"


class Published(NamedTuple):
    """Expected average overlap on VOT 2020, as DeAOT's Table 2 has it."""

    name: str
    eao: float
    realtime_eao: float


PUBLISHED_2020 = (
    Published("AOT-T", 0.435, 0.433),
    Published("DeAOT-T", 0.472, 0.463),
    Published("AOT-S", 0.512, 0.499),
    Published("DeAOT-S", 0.593, 0.559),
    Published("AOT-B", 0.541, 0.533),
    Published("DeAOT-B", 0.571, 0.542),
    Published("AOT-L", 0.574, 0.560),
    Published("DeAOT-L", 0.591, 0.554),
    Published("R50-AOT-L", 0.569, 0.540),
    Published("R50-DeAOT-L", 0.613, 0.571),
    Published("SwinB-AOT-L", 0.586, 0.523),
    Published("SwinB-DeAOT-L", 0.622, 0.559),
)
"""Yang and Yang, Decoupling Features in Hierarchical Propagation for Video Object Segmentation, 2022, Table 2."""
COLUMNS: dict[type, dict[str, str]] = {
    MultistartScore: {"eao": "EAO", "accuracy": "A", "robustness": "R"},
    OverlapScore: {"accuracy": "A"},
    QualityScore: {
        "quality": "Q",
        "accuracy": "A",
        "robustness": "R",
        "not_reported": "NRE",
        "drift": "DRE",
        "absence": "ADQ",
    },
}
"""The measures of each kind of experiment, and their names in VOT."""
_ANALYSES: dict[str, tuple[str, ...]] = {
    "multistart.EAOScore": ("eao",),
    "multistart.AverageAccuracyRobustness": ("accuracy", "robustness"),
    "accuracy.AverageAccuracy": ("mean_overlap",),
    "longterm.AccuracyRobustness": ("accuracy", "robustness"),
    "longterm.AverageQualityAuxiliary": ("not_reported", "drift", "absence"),
}
"""The toolkit's analyses, and which measures their values are."""


def score_tables(
    results: Sequence[VotResult], official: Mapping[tuple[str, str], Mapping[str, Any]] | None = None
) -> list[Table]:
    """A table for each experiment, a row for each tracker.

    Args:
        official: of ``toolkit_measures``, whose values get rows of their own.
    """
    tables = []
    for experiment in dict.fromkeys(result.experiment for result in results):
        of_experiment = [result for result in results if result.experiment == experiment]
        kind = next((type(result.score) for result in of_experiment if result.score is not None), None)
        columns = {} if kind is None else COLUMNS[kind]
        table = Table(title=experiment, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("tracker")
        table.add_column("by")
        for name in columns.values():
            table.add_column(name, justify="right")
        for result in of_experiment:
            table.add_row(result.tracker, "limpet", *_cells(result, columns))
            theirs = (official or {}).get((result.tracker, experiment))
            if theirs is not None:
                table.add_row("", "toolkit", *(_text(theirs.get(name)) for name in columns))
        tables.append(table)
    return tables


def published_table() -> Table:
    """What DeAOT's paper reports on VOT 2020."""
    table = Table(
        title="VOT 2020, reported in the DeAOT paper (Table 2)",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name in ("tracker", "EAO", "real-time EAO"):
        table.add_column(name, justify="left" if name == "tracker" else "right")
    for row in PUBLISHED_2020:
        table.add_row(row.name, f"{row.eao:.3f}", f"{row.realtime_eao:.3f}")
    return table


def toolkit_measures(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """What ``vot analysis --format json`` has written, by tracker and experiment, under our names.

    Raises:
        DataError: it is not such a file.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for experiment, facts in content["results"].items():
            for analysis, of_trackers in zip(facts["parameters"]["analyses"], facts["results"], strict=True):
                names = _ANALYSES.get(analysis["type"].removeprefix("vot.analysis."), ())
                for tracker, values in zip(content["trackers"], of_trackers, strict=True):
                    measures = found.setdefault((tracker, experiment), {})
                    measures |= dict(zip(names, values or (), strict=False))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is not what the toolkit writes ({error!r}); make it with: vot analysis --format json --name NAME"
        ) from error
    for measures in found.values():
        if "mean_overlap" in measures:  # of single objects it is their accuracy, of several the quality
            name = "quality" if "robustness" in measures else "accuracy"
            measures[name] = measures.pop("mean_overlap")
    return found


def measures_of(score: VotScore) -> dict[str, float | None]:
    """The measures of a score by our names."""
    return {name: getattr(score, name) for name in COLUMNS[type(score)]}


def _cells(result: VotResult, columns: Mapping[str, str]) -> list[str]:
    if result.score is None:
        first = f"{result.missing} of {result.runs} runs are missing"
        return [first, *[""] * (len(columns) - 1)] if columns else []
    return [_text(value) for value in measures_of(result.score).values()]


def _text(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}"
