"""Scores as a table on the screen, as CSV and as JSON with a receipt.

Tables and CSV show per cent; JSON keeps [0, 1] and the values of every frame. A file is written completely or not at
all.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from limpet.core.files import atomic_path
from limpet.core.json_text import finite_json
from limpet.core.provenance import machine as this_machine
from limpet.evaluation.disappearance import disappearance
from limpet.evaluation.hota import Hota, TrackScores
from limpet.evaluation.metrics import MeasureStats
from limpet.evaluation.scores import ObjectScores, Scores, Summary, summarise

MOST = 60
"""Sequences in a table on the screen."""
TRACK_COLUMNS = ("HOTA", "DetA", "AssA")
COLUMNS = ("J&F", "J mean", "J recall", "J decay", "F mean", "F recall", "F decay")


def _version() -> str:
    try:
        return metadata.version("limpet")
    except metadata.PackageNotFoundError:
        return "not installed"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Receipt:
    """How scores were made, so that they can be reproduced.

    Args:
        command: as it was typed.
        dataset: data set and split.
        model, weights, device: of the tracker, ``weights`` being the sha256 of the file; None when existing masks were
            scored.
        frames_per_second: of the tracker's steps alone.
        protocol: whose rules were followed. rate: which frames the tracker saw.
        network_size: height x width of the network's input, where videos differ all of them.
        memory, memory_gap, memory_frames: memory policy of the tracker, after how many frames it takes another one, and
            how many it keeps; None sets no limit.
        settings: everything else that the result depends on.
        version: of limpet. date: ISO 8601, UTC. machine: processor and system.
    """

    command: str
    dataset: str
    model: str | None = None
    weights: str | None = None
    device: str | None = None
    frames_per_second: float | None = None
    protocol: str | None = None
    rate: str | None = None
    network_size: str | None = None
    memory: str | None = None
    memory_gap: int | None = None
    memory_frames: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str = field(default_factory=_version)
    date: str = field(default_factory=_now)
    machine: str = field(default_factory=this_machine)

    @property
    def facts(self) -> dict[str, str]:
        """What a score must not be read without: protocol, rate, sizes, memory and model."""
        most = "" if self.memory_frames is None else f", at most {self.memory_frames} frames"
        memory = self.memory and f"{self.memory}, {_gap(self.memory_gap)}{most}"
        known = {
            "protocol": self.protocol, "frames seen": self.rate, "network size": self.network_size, "memory": memory,
            "model": self.model, "weights": self.weights and self.weights[:8],
        }  # fmt: skip
        return {name: str(value) for name, value in known.items() if value}

    @property
    def header(self) -> str:
        """The facts in a line."""
        return " · ".join(f"{name} {value}" for name, value in self.facts.items())


def results_table(scores: Scores, title: str | None = None, most: int = MOST) -> Table:
    """A rich table for 80 columns: sequences, below each its objects when it has several, and the mean.

    Where categories are seen or unseen in training, the means of both kinds follow. Of more than ``most`` sequences,
    only so many with the lowest J are shown, the worst first.
    """
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("sequence", no_wrap=True)
    for column in ("object", "frames", *COLUMNS):
        bold = "bold" if column == "J&F" else None
        table.add_column(column.replace(" ", "\n"), justify="right", no_wrap=True, style=bold)
    groups = scores.by_sequence()
    for name in groups if len(groups) <= most else scores.worst(most):
        objects = groups[name]
        count = str(len(scores.frames[name]))
        single = str(objects[0].object_id) if len(objects) == 1 else f"all {len(objects)}"
        table.add_row(name, single, count, *_texts(summarise(objects)))
        if len(objects) > 1:
            for scored in objects:
                table.add_row("", str(scored.object_id), "", *_texts(scored), style="dim")
    if len(groups) > most:
        table.add_row(f"and {len(groups) - most} better ones", style="dim")
    table.add_section()
    total = sum(len(names) for names in scores.frames.values())
    for kind, part in _kinds(scores):
        table.add_row(kind, f"all {part.objects}", "", *_texts(part))
    table.add_row("mean", f"all {len(scores.objects)}", str(total), *_texts(scores.summary), style="bold")
    return table


def tracks_table(scores: Scores) -> Table:
    """HOTA and its parts in per cent, over the classes of each group: by boxes, as BURST's code, and by masks."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("classes")
    table.add_column("overlap of")
    for column in TRACK_COLUMNS:
        table.add_column(column, justify="right", style="bold" if column == "HOTA" else None)
    for kind, tracks in _tracks(scores).items():
        for group, measures in tracks.groups.items():
            values = (f"{100 * value:.1f}" for value in _track_values(measures).values())
            table.add_row(group, f"{kind} (BURST's code)" if kind == "boxes" else kind, *values)
    return table


def write_csv(scores: Scores, folder: Path, receipt: Receipt | None = None) -> tuple[Path, Path]:
    """Write FOLDER/per_sequence.csv and FOLDER/per_object.csv, in per cent; the last row is the mean of all.

    Every row ends with the facts of the receipt, so that rows of several runs can be put together.

    Raises:
        OutputError: when they cannot be written.
    """
    sequences, objects = folder / "per_sequence.csv", folder / "per_object.csv"
    facts = receipt.facts if receipt else {}
    groups = scores.by_sequence()
    rows: list[list[str | int]] = [
        [name, len(group), len(scores.frames[name]), *_cells(summarise(group))]
        for name, group in groups.items()
    ]
    total = sum(len(names) for names in scores.frames.values())
    rows += [[kind, part.objects, "", *_cells(part)] for kind, part in _kinds(scores)]
    rows.append(["mean", len(scores.objects), total, *_cells(scores.summary)])
    _write_rows(sequences, ["sequence", "objects", "frames", *COLUMNS], rows, facts)
    described = any(o.category or o.seen is not None for o in scores.objects)
    rows = []
    for o in scores.objects:
        about = [o.category, {True: "seen", False: "unseen", None: ""}[o.seen]] if described else []
        rows.append([o.sequence, o.object_id, len(o.region), *_cells(o), *about])
    blank = [""] * 2 * described
    rows += [[kind, "", "", *_cells(part), *blank] for kind, part in _kinds(scores)]
    rows.append(["mean", "", total, *_cells(scores.summary), *blank])
    head = ["sequence", "object", "frames", *COLUMNS, *(["category", "kind"] if described else [])]
    _write_rows(objects, head, rows, facts)
    return sequences, objects


def write_json(scores: Scores, path: Path, receipt: Receipt) -> None:
    """Write the receipt, the means in [0, 1] and every frame's J and F.

    Raises:
        OutputError: when it cannot be written.
    """
    content = {
        "receipt": asdict(receipt),
        "mean": _as_json(scores.summary),
        **_more_means(scores),
        "sequences": {
            name: {
                "frames": scores.frames[name],
                "mean": _as_json(summarise(group)),
                "objects": {
                    str(o.object_id): {
                        **_as_json(o),
                        **_about(o),
                        "J_by_frame": o.region,
                        "F_by_frame": o.boundary,
                    }
                    for o in group
                },
            }
            for name, group in scores.by_sequence().items()
        },
        "notes": scores.notes,
    }
    with atomic_path(path) as temporary:
        temporary.write_text(
            finite_json(content, "the scores", indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def _write_rows(
    path: Path, head: list[str], rows: Iterable[Sequence[str | int]], facts: Mapping[str, str]
) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*head, *facts])
        writer.writerows([*row, *facts.values()] for row in rows)


def _kinds(scores: Scores) -> list[tuple[str, Summary]]:
    parts = scores.seen_and_unseen
    return [("seen", parts.seen), ("unseen", parts.unseen)] if parts else []


def _gap(gap: int | None) -> str:
    return "no gap" if gap is None else f"gap {gap}"


def _more_means(scores: Scores) -> dict[str, Any]:
    """V of LVOS; G and its parts; HOTA of BURST; and what happens around disappearances, where there are any."""
    found: dict[str, Any] = {"V": sum(each.variation for each in scores.objects) / len(scores.objects)}
    parts = scores.seen_and_unseen
    if parts:
        found |= {"G": parts.g, "seen": _as_json(parts.seen), "unseen": _as_json(parts.unseen)}
    if scores.tracks:
        found["tracks"] = {
            overlap: {
                kind: {name: _track_values(each) for name, each in measures.items()}
                for kind, measures in (("groups", tracks.groups), ("classes", tracks.classes))
            }
            for overlap, tracks in _tracks(scores).items()
        }
    around = disappearance(scores.objects)
    if around.absent_objects or around.returned_objects:
        found["disappearance"] = asdict(around)
    return found


def _tracks(scores: Scores) -> dict[str, TrackScores]:
    kinds = {"boxes": scores.tracks, "masks": scores.mask_tracks}
    return {kind: tracks for kind, tracks in kinds.items() if tracks is not None}


def _track_values(measures: Hota) -> dict[str, float]:
    return dict(zip(TRACK_COLUMNS, (measures.hota, measures.detection, measures.association), strict=True))


def _about(scored: ObjectScores) -> dict[str, Any]:
    """What is known of an object besides its scores."""
    known = {"category": scored.category or None, "seen": scored.seen, "frames": scored.frames or None}
    return {name: value for name, value in known.items() if value is not None}


def _values(scored: ObjectScores | Summary) -> tuple[float, ...]:
    """In the order of COLUMNS."""
    return (scored.j_and_f, *_three(scored.j), *_three(scored.f))


def _three(stats: MeasureStats) -> tuple[float, float, float]:
    return (stats.mean, stats.recall, stats.decay)


def _texts(scored: ObjectScores | Summary) -> list[str]:
    return [f"{100 * value:.1f}" for value in _values(scored)]


def _cells(scored: ObjectScores | Summary) -> list[str]:
    return [f"{100 * value:.4f}" for value in _values(scored)]


def _as_json(scored: ObjectScores | Summary) -> dict[str, float | dict[str, float]]:
    return {"J&F": scored.j_and_f, "J": asdict(scored.j), "F": asdict(scored.f)}
