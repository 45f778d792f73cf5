"""The tables of docs/benchmarks.md, made from the reports in docs/benchmarks/.

The page's text is written by hand; what is between ``<!-- figures -->`` and ``<!-- end of figures -->`` is generated.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from limpet.bench.compare import NOISE, compare
from limpet.bench.report import BenchReport, RunFacts, StageFacts, read_report
from limpet.bench.roofline import RooflinePeaks
from limpet.core.errors import DataError
from limpet.core.files import atomic_path

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
PAIRS = "Each is compared with what differs from it in one thing; what is slower, or takes more, is in bold."
Reports = Mapping[str, BenchReport]
DEFORMABLE = "-deformable"
PLAIN_OBJECTS = 3


def read_reports(folder: Path) -> dict[str, BenchReport]:
    """All reports in a folder, by the names of their files, sorted by what they measured.

    Raises:
        DataError: the folder holds no report, or a damaged one.
    """
    found = {path.stem: read_report(path) for path in sorted(folder.glob("*.json"))}
    if not found:
        raise DataError(f"{folder} holds no report; make some with: limpet bench --json {folder}/NAME.json")
    return dict(sorted(found.items(), key=lambda item: _order(item[1])))


def write_page(page: Path, reports: Reports, earlier: Reports) -> None:
    """Put the tables into the page.

    Args:
        earlier: reports of the last measurement by the same names, to compare with; none where there was none.

    Raises:
        DataError: the page lacks the marks between which they go. OutputError.
    """
    text = page.read_text() if page.is_file() else ""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise DataError(f"{page} must hold {BEGIN} and {END} once each; the tables go between them")
    before, rest = text.split(BEGIN)
    figures = "\n\n".join(figures_of(reports, earlier))
    with atomic_path(page) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{figures}\n\n{END}{rest.split(END)[1]}")


def figures_of(reports: Reports, earlier: Reports) -> list[str]:
    """The generated parts of the page: machine, steps, stages, whole jobs, gains and losses, changes."""
    steps = {name: report for name, report in reports.items() if report.run.what == "steps"}
    jobs = {name: report for name, report in reports.items() if name not in steps}
    parts = [machine_words(reports), peaks_table(reports)]
    if steps:
        parts += ["### Steps alone", steps_table(steps)]
    detailed = [report for report in steps.values() if len(report.stages) > 3 and is_plain(report)]
    if detailed:
        parts += ["### Where the time goes", *(stages_table(report) for report in detailed)]
    if jobs:
        parts += ["### From a video file to masks on the disk", jobs_table(jobs)]
    parts += ["### Gains and losses", PAIRS, pairs_table(reports)]
    return [*parts, "### Since the last measurement", changes_table(reports, earlier)]


def is_plain(report: BenchReport) -> bool:
    """Whether the page shows its stages and its bar: three objects at the larger size."""
    return report.run.objects == PLAIN_OBJECTS and report.run.network_size[0] > 400


def machine_words(reports: Reports) -> str:
    """The machine, the days and the commits; and how many of the measurements were disturbed."""
    machines = [report.machine for report in reports.values()]
    names = sorted({f"{m.cpu} ({' '.join(m.flags)}), {m.cores} cores, {m.system}" for m in machines})
    commits = sorted({str(m.commit) for m in machines})
    days = sorted({report.date[:10] for report in reports.values()})
    versions = sorted({f"{name} {version}" for m in machines for name, version in m.packages.items()})
    busy = sum(report.is_disturbed for report in reports.values())
    disturbed = (
        f"**{busy} of {len(reports)} were disturbed by other programs (marked with !): do not trust their times.**"
        if busy
        else "No measurement was disturbed by other programs."
    )
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{'; '.join(names)}.\n{when}, commit {', '.join(commits)}.\n{wrapped(', '.join(versions))}.\n{disturbed}"


def wrapped(text: str) -> str:
    """``text`` in lines of at most 120 characters."""
    return "\n".join(textwrap.wrap(text, 118, break_on_hyphens=False))


def peaks_table(reports: Reports) -> str:
    """The machine's roofline: the largest rates that any of the measurements found, with as many threads."""
    by_threads: dict[int, list[RooflinePeaks]] = {}
    for report in reports.values():
        if report.roofline is not None:
            by_threads.setdefault(report.run.threads, []).append(report.roofline)
    lines = [
        "| threads | product fp32 | bf16 | convolution fp32 | bf16 | copy |",
        "|---|---|---|---|---|---|",
    ]
    for threads, found in sorted(by_threads.items()):
        best = [
            max(getattr(peaks, kind)[precision] for peaks in found)
            for kind in ("product", "convolution")
            for precision in ("fp32", "bf16")
        ]
        cells = " | ".join(f"{value:.0f} GFLOP/s" for value in best)
        lines.append(f"| {threads} | {cells} | {max(peaks.copy for peaks in found):.1f} GB/s |")
    return "\n".join(lines)


def steps_table(reports: Reports) -> str:
    """A row for each measurement of steps."""
    lines = [
        "| model | engine | precision | network input | objects | ms per frame (quartiles) | frames/s | CPU ms "
        "| GFLOP | GFLOP/s | of the peak | peak MB | of it above the libraries |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for report in reports.values():
        whole, memory = report.whole, report.memory
        lines.append(
            f"{_row_of(report)} | {report.time.cpu_ms:.0f} "
            f"| {_number(whole.gflop, 1)} | {_number(whole.gflop_per_second, 0)} "
            f"| {_percent(whole.share_of_compute)} | {memory.peak_mb:.0f} | {memory.above_libraries_mb:.0f} |"
        )
    return "\n".join(lines)


def stages_table(report: BenchReport) -> str:
    """A row for each stage."""
    run = report.run
    lines = [
        f"{run.model}, {run.engine_name}, {run.precision}, {run.objects} objects, "
        f"network input {_size(run.network_size)}:",
        "",
        "| stage | ms | of the time | GFLOP | GFLOP/s | of the peak | MB moved | GB/s | of a copy |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_stage_row(row, report.whole) for row in report.stages)])


def _stage_row(row: StageFacts, whole: StageFacts) -> str:
    name = f"**{row.name}**" if row is whole else row.name
    return (
        f"| {name} | {row.ms.median:.1f} | {_percent(row.ms.median / whole.ms.median)} | {_number(row.gflop, 2)} "
        f"| {_number(row.gflop_per_second, 0)} | {_percent(row.share_of_compute)} "
        f"| {_number(row.moved_mb, 0)} | {_number(row.gb_per_second, 1)} | {_percent(row.share_of_copy)} |"
    )


def jobs_table(reports: Reports) -> str:
    """A row for each measurement from end to end."""
    lines = [
        "| model | engine | precision | network input | objects | ms per frame (quartiles) | frames/s | of it decoding "
        "| tracking | writing | whole job | peak MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for report in reports.values():
        stages = {row.name: row.ms.median for row in report.stages}
        decode, write = stages["decode video"], stages["write masks"]
        frames, whole = 1 + report.run.warm_up + report.run.frames, report.time.whole_seconds
        lines.append(
            f"{_row_of(report)} | {decode:.1f} "
            f"| {stages['all'] - decode - write:.1f} | {write:.1f} | {frames} frames in {whole:.2f} s "
            f"| {report.memory.peak_mb:.0f} |"
        )
    return "\n".join(lines)


def pairs_table(reports: Reports) -> str:
    """A row for each measurement with a plain counterpart among the others; what is slower or larger is bold."""
    lines = [
        "| | instead of | network input | objects | times as fast | CPU time | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for report in reports.values():
        for way, plain in _counterparts(report.run):
            other = next((r for r in reports.values() if _key(r.run) == plain), None)
            if other is not None:
                lines.append(_pair_row(report, other, way))
    return "\n".join(lines) if len(lines) > 2 else "No two measurements differ in one thing only."


def _pair_row(report: BenchReport, other: BenchReport, way: str) -> str:
    run = report.run
    speed = other.time.ms.median / report.time.ms.median
    cpu = report.time.cpu_ms / other.time.cpu_ms
    memory = report.memory.peak_mb / other.memory.peak_mb
    return (
        f"| {run.model}, {run.engine_name}, {run.precision} | {way} | {_size(run.network_size)} | {run.objects} "
        f"| {_marked(speed, speed < 1 - NOISE)} | {_marked(cpu, cpu > 1 + NOISE)} "
        f"| {_marked(memory, memory > 1 + NOISE)} |"
    )


def _counterparts(run: RunFacts) -> list[tuple[str, tuple[Any, ...]]]:
    """In words, and the key of the measurement that differs in this alone."""
    found = []
    if run.engine_name != "torch":
        found.append((f"torch, {run.precision}", _key(replace(run, engine="torch"))))
    elif run.precision == "bf16":
        found.append(("fp32", _key(replace(run, precision="fp32"))))
    if run.model.endswith(DEFORMABLE):
        plain = run.model.removesuffix(DEFORMABLE)
        found.append((plain, _key(replace(run, model=plain))))
    return found


def _key(run: RunFacts) -> tuple[Any, ...]:
    return (
        run.what, run.model, run.engine_name, run.precision, run.threads, run.device, run.network_size, run.objects,
    )  # fmt: skip


def changes_table(reports: Reports, earlier: Reports) -> str:
    """What has become slower or larger, or faster or smaller, among whole frames, memory and CPU time."""
    known = {name: earlier[name] for name in reports if name in earlier}
    if not known:
        return "There is no earlier measurement of these to compare with."
    commits = ", ".join(sorted({str(report.machine.commit) for report in known.values()}))
    lines = [
        f"Compared with commit {commits}. Differences below {100 * NOISE:.0f} %, and times whose quartiles overlap,\n"
        "are left out. What has become worse is in bold.",
        "",
        "| measurement | what | before | now | ratio |",
        "|---|---|---|---|---|",
    ]
    for name, old in known.items():
        for change in compare(old, reports[name]).changes:
            if change.verdict and change.name in ("all", "CPU, all", "peak memory", "state", "weights"):
                lines.append(
                    f"| {name} | {change.name}, {change.unit} | {change.old:.1f} | {change.new:.1f} "
                    f"| {_marked(change.ratio, change.is_worse)} |"
                )
    return "\n".join(lines) if len(lines) > 4 else f"Nothing has changed since commit {commits}."


def _order(report: BenchReport) -> tuple[Any, ...]:
    run = report.run
    return (
        run.what != "steps", run.model, not run.engine_name.startswith("torch"), run.engine_name, run.precision,
        -run.network_size[0], run.objects,
    )  # fmt: skip


def _row_of(report: BenchReport) -> str:
    """What every table of measurements begins with: what was measured, ms per frame, frames per second."""
    run, ms = report.run, report.time.ms
    mark = " !" if report.is_disturbed else ""
    return (
        f"| {run.model} | {run.engine_name} | {run.precision} | {_size(run.network_size)} | {run.objects} "
        f"| **{ms.median:.1f}** ({ms.quartile_1:.1f}-{ms.quartile_3:.1f}){mark} | {report.time.frames_per_second:.2f}"
    )


def _size(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"


def _marked(ratio: float, worse: bool) -> str:
    return f"**{ratio:.2f}**" if worse else f"{ratio:.2f}"


def _number(value: float | None, places: int) -> str:
    return "" if not value else f"{value:.{places}f}"


def _percent(value: float | None) -> str:
    return "" if not value else f"{100 * value:.0f} %"
