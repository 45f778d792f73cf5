"""The page of a race (benchmarks/peers.py): tables, and charts of time, memory and agreement."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot

from limpet.bench.machine import busy_warning

COLOURS = ("#4477aa", "#ee9944", "#228833", "#aa3377", "#66ccee", "#bbbbbb", "#333333")


def write_page(result: dict[str, Any], folder: Path) -> None:
    """Write race.md and its charts: time.png, memory.png and agreement.png."""
    races, settings, machine = result["races"], result["settings"], result["machine"]
    names = [row["contestant"]["name"] for row in races[0]["rows"]]
    _bars(races, names, folder / "time.png")
    _lines(races, names, lambda row: row["memory"], "MB held", folder / "memory.png")
    _lines(
        races, names, lambda row: row["agreement"]["iou"], f"IoU with {names[0]}", folder / "agreement.png"
    )
    warning = busy_warning(machine["cores_used_by_others"], machine["load"])
    where = machine["cpu"] if settings["device"] == "cpu" else settings["device"]
    lines = [
        "# A race, frame by frame in turn",
        "",
        f"{where}, {settings['threads']} thread(s), {settings['precision']}, network input of at most "
        f"{settings['max_size']} pixels.\nlimpet {machine['limpet']}, commit {machine['commit']}.",
        "",
        *([f"**{warning[:1].upper()}{warning[1:]}.**", ""] if warning else []),
        "| contestant | adapter | model | weights | runs on, in the first clip |",
        "|---|---|---|---|---|",
        *(_contestant(row) for row in races[0]["rows"]),
        "",
        "Milliseconds are medians with quartiles. Growth is that of the memory held, in 100 frames, in the second\n"
        f"half of the clip. Agreement is with {names[0]}: mean IoU of the objects, and frames equal in every pixel.",
        "",
        "| clip | contestant | ms per frame | CPU ms | peak MB | on the GPU | growth, MB | agreement | equal frames |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for race in races:
        lines += [_row(race, row) for row in race["rows"]]
    lines += ["", "![Milliseconds per frame](time.png)", "", "![Memory by frame](memory.png)", ""]
    lines += ["![Agreement by frame](agreement.png)", ""]
    (folder / "race.md").write_text("\n".join(lines))


def _contestant(row: dict[str, Any]) -> str:
    contestant = row["contestant"]
    weights, adapter = Path(contestant["weights"]).name or "its own", Path(contestant["adapter"]).name
    model = contestant["model"] or "the usual one"
    return f"| {contestant['name']} | {adapter} | {model} | {weights} | {row['about']} |"


def _row(race: dict[str, Any], row: dict[str, Any]) -> str:
    agreement = row["agreement"]
    gpu = row["gpu_peak_mb"]
    grown = row["gpu_growth_mb"] if gpu else row["growth_mb"]
    iou = sum(agreement["iou"]) / len(agreement["iou"])
    return (
        f"| {_clip(race)} | {row['contestant']['name']} | **{row['ms']:.1f}** ({row['ms_quartile_1']:.1f}-"
        f"{row['ms_quartile_3']:.1f}) | {row['cpu_ms']:.0f} | {row['peak_mb']:.0f} | {f'{gpu:.0f}' if gpu else ''} "
        f"| {grown:+.1f} | {iou:.4f} | {agreement['equal_frames']} of {race['frames'] - 1} |"
    )


def _clip(race: dict[str, Any]) -> str:
    objects = "1 object" if race["objects"] == 1 else f"{race['objects']} objects"
    return f"{race['size'][0]}x{race['size'][1]}, {objects}"


def _bars(races: list[dict[str, Any]], names: list[str], path: Path) -> None:
    figure, axis = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        rows = [race["rows"][number] for race in races]
        places = [index + (number - (len(names) - 1) / 2) * width for index in range(len(races))]
        spread = [
            [row["ms"] - row["ms_quartile_1"] for row in rows],
            [row["ms_quartile_3"] - row["ms"] for row in rows],
        ]
        colour = COLOURS[number % len(COLOURS)]
        axis.bar(places, [row["ms"] for row in rows], width, yerr=spread, label=name, color=colour)
    axis.set_xticks(range(len(races)), [_clip(race) for race in races], fontsize=8)
    axis.set(ylabel="ms per frame")
    axis.legend(frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _lines(
    races: list[dict[str, Any]],
    names: list[str],
    values: Callable[[dict[str, Any]], list[float]],
    what: str,
    path: Path,
) -> None:
    figure, axes = pyplot.subplots(
        1, len(races), figsize=(3.4 * max(2, len(races)), 3), layout="constrained", squeeze=False, sharey=True
    )
    for axis, race in zip(axes[0], races, strict=True):
        for number, (name, row) in enumerate(zip(names, race["rows"], strict=True)):
            found = values(row)
            axis.plot(range(1, len(found) + 1), found, label=name, color=COLOURS[number % len(COLOURS)])
        axis.set(title=_clip(race), xlabel="frame")
    axes[0][0].set(ylabel=what, ylim=(0, None))
    axes[0][-1].legend(frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
