"""Which of two ways is faster, gains and losses alike: another engine, another attention, another precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from limpet.bench.compare import NOISE
from limpet.bench.report import engine_name

DEFORMABLE = "-deformable"


def pairs_table(reports: Mapping[str, dict[str, Any]]) -> str:
    """A row for each measurement that has a plain counterpart among the others; what is slower or larger is bold."""
    lines = [
        "| | instead of | network | objects | times as fast | CPU time | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for report in reports.values():
        for way, plain in _counterparts(report["run"]):
            other = next((r for r in reports.values() if _key(r["run"]) == plain), None)
            if other is not None:
                lines.append(_row(report, other, way))
    return "\n".join(lines) if len(lines) > 2 else "No two measurements differ in one thing only."


def _row(report: dict[str, Any], other: dict[str, Any], way: str) -> str:
    run = report["run"]
    speed = other["time"]["ms"]["median"] / report["time"]["ms"]["median"]
    cpu = report["time"]["cpu_ms"] / other["time"]["cpu_ms"]
    memory = report["memory"]["peak_mb"] / other["memory"]["peak_mb"]
    size = "x".join(map(str, run["network_size"]))
    name = f"{run['model']}, {engine_name(run)}, {run['precision']}"
    return (
        f"| {name} | {way} | {size} | {run['objects']} | {_marked(speed, speed < 1 - NOISE)} "
        f"| {_marked(cpu, cpu > 1 + NOISE)} | {_marked(memory, memory > 1 + NOISE)} |"
    )


def _counterparts(run: dict[str, Any]) -> list[tuple[str, tuple[Any, ...]]]:
    """In words, and the key of the measurement that differs in this alone."""
    found = []
    if engine_name(run) != "torch":
        found.append((f"torch, {run['precision']}", _key({**run, "engine": "torch"})))
    elif run["precision"] == "bf16":
        found.append(("fp32", _key({**run, "precision": "fp32"})))
    if run["model"].endswith(DEFORMABLE):
        plain = run["model"].removesuffix(DEFORMABLE)
        found.append((plain, _key({**run, "model": plain})))
    return found


def _key(run: dict[str, Any]) -> tuple[Any, ...]:
    return (
        run["what"], run["model"], engine_name(run), run["precision"], run["threads"], run["device"],
        tuple(run["network_size"]), run["objects"],
    )  # fmt: skip


def _marked(ratio: float, worse: bool) -> str:
    return f"**{ratio:.2f}**" if worse else f"{ratio:.2f}"
