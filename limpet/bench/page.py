"""The tables of docs/benchmarks.md, made from the reports in docs/benchmarks/.

The page's words are written by hand; what lies between ``<!-- figures -->`` and ``<!-- end of figures -->`` is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limpet.bench.compare import NOISE, compare
from limpet.bench.pairs import pairs_table
from limpet.bench.report import engine_name, is_disturbed, is_plain, read_report
from limpet.core.errors import DataError
from limpet.core.files import atomic_path

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
PAIRS = "Each beside what differs from it in one thing; what is slower, or takes more, is in bold."
Reports = Mapping[str, dict[str, Any]]


def read_reports(folder: Path) -> dict[str, dict[str, Any]]:
    """All reports in a folder, by the names of their files, in the order of what they measured.

    Raises:
        DataError: there is none, or one is damaged.
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
    """All that is made of the page: machine, steps, stages, whole jobs, changes."""
    steps = {name: report for name, report in reports.items() if report["run"]["what"] == "steps"}
    jobs = {name: report for name, report in reports.items() if name not in steps}
    parts = [machine_words(reports), limits_words(reports)]
    if steps:
        parts += ["### Steps alone", steps_table(steps)]
    told = [report for report in steps.values() if len(report["stages"]) > 3 and is_plain(report["run"])]
    if told:
        parts += ["### Where the time goes", *(stages_table(report) for report in told)]
    if jobs:
        parts += ["### From a video file to masks on the disk", jobs_table(jobs)]
    parts += ["### Gains and losses", PAIRS, pairs_table(reports)]
    return [*parts, "### Since the last measurement", changes_table(reports, earlier)]


def machine_words(reports: Reports) -> str:
    """On what, when and of which commit; and how many of the measurements were disturbed."""
    machines = [report["machine"] for report in reports.values()]
    told = sorted(
        {f"{m['cpu']} ({' '.join(m['flags'])}), {m['cores']} cores, {m['system']}" for m in machines}
    )
    commits = sorted({str(m["commit"]) for m in machines})
    days = sorted({report["date"][:10] for report in reports.values()})
    versions = sorted({f"{name} {version}" for m in machines for name, version in m["packages"].items()})
    busy = sum(is_disturbed(report) for report in reports.values())
    disturbed = (
        f"**{busy} of {len(reports)} were disturbed by other programs (marked with !): do not trust their times.**"
        if busy
        else "No measurement was disturbed by other programs."
    )
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{'; '.join(told)}. {when}, commit {', '.join(commits)}; {', '.join(versions)}. {disturbed}"


def limits_words(reports: Reports) -> str:
    """The machine's limits: the largest that any of the measurements saw, with as many threads."""
    by_threads: dict[int, list[dict[str, Any]]] = {}
    for report in reports.values():
        if report["ceilings"] is not None:
            by_threads.setdefault(report["run"]["threads"], []).append(report["ceilings"])
    lines = [
        "| threads | product fp32 | bf16 | convolution fp32 | bf16 | copy |",
        "|---|---|---|---|---|---|",
    ]
    for threads, found in sorted(by_threads.items()):
        best = [
            max(c[kind][p] for c in found) for kind in ("product", "convolution") for p in ("fp32", "bf16")
        ]
        cells = " | ".join(f"{value:.0f} GFLOP/s" for value in best)
        lines.append(f"| {threads} | {cells} | {max(c['copy'] for c in found):.1f} GB/s |")
    return "\n".join(lines)


def steps_table(reports: Reports) -> str:
    """A row for each measurement of steps."""
    lines = [
        "| model | engine | precision | network | objects | ms a frame (quartiles) | frames/s | CPU ms | GFLOP | "
        "GFLOP/s | of the limit | peak MB | of it above the libraries |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for report in reports.values():
        whole, memory = report["stages"][-1], report["memory"]
        lines.append(
            f"{_row_of(report)} | {report['time']['cpu_ms']:.0f} "
            f"| {_number(whole['gflop'], 1)} | {_number(whole['gflop_per_second'], 0)} "
            f"| {_percent(whole['share_of_compute'])} | {memory['peak_mb']:.0f} | {memory['above_libraries_mb']:.0f} |"
        )
    return "\n".join(lines)


def stages_table(report: dict[str, Any]) -> str:
    """A row a stage."""
    run = report["run"]
    lines = [
        f"{run['model']}, {engine_name(run)}, {run['precision']}, {run['objects']} objects, "
        f"network {_size(run['network_size'])}:",
        "",
        "| stage | ms | of the time | GFLOP | GFLOP/s | of the limit | MB moved | GB/s | of a copy |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in report["stages"]:
        name = f"**{row['name']}**" if row["name"] == "all" else row["name"]
        part = row["ms"]["median"] / report["stages"][-1]["ms"]["median"]
        lines.append(
            f"| {name} | {row['ms']['median']:.1f} | {_percent(part)} | {_number(row['gflop'], 2)} "
            f"| {_number(row['gflop_per_second'], 0)} | {_percent(row['share_of_compute'])} "
            f"| {_number(row['moved_mb'], 0)} | {_number(row['gb_per_second'], 1)} | {_percent(row['share_of_copy'])} |"
        )
    return "\n".join(lines)


def jobs_table(reports: Reports) -> str:
    """A row for each measurement from end to end."""
    lines = [
        "| model | engine | precision | network | objects | ms a frame (quartiles) | frames/s | of it decoding "
        "| tracking | writing | whole job | peak MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for report in reports.values():
        run, stages = report["run"], {row["name"]: row["ms"]["median"] for row in report["stages"]}
        decode, write = stages["decode video"], stages["write masks"]
        frames, whole = 1 + run["warm_up"] + run["frames"], report["time"]["whole_seconds"]
        lines.append(
            f"{_row_of(report)} | {decode:.1f} "
            f"| {stages['all'] - decode - write:.1f} | {write:.1f} | {frames} frames in {whole:.2f} s "
            f"| {report['memory']['peak_mb']:.0f} |"
        )
    return "\n".join(lines)


def changes_table(reports: Reports, earlier: Reports) -> str:
    """What became slower or larger, or faster or smaller, among whole frames, memory and CPU time."""
    known = {name: earlier[name] for name in reports if name in earlier}
    if not known:
        return "There is no earlier measurement of these to compare with."
    commits = ", ".join(sorted({str(report["machine"]["commit"]) for report in known.values()}))
    lines = [
        f"Compared with commit {commits}; differences below {100 * NOISE:.0f} %, and times whose quartiles overlap, "
        "are left out. What became worse is in bold.",
        "",
        "| measurement | what | before | now | ratio |",
        "|---|---|---|---|---|",
    ]
    for name, old in known.items():
        for change in compare(old, reports[name]).changes:
            if change.verdict and change.name in ("all", "CPU, all", "peak memory", "state", "weights"):
                mark = "**" if change.verdict in ("slower", "more") else ""
                lines.append(
                    f"| {name} | {change.name}, {change.unit} | {change.old:.1f} | {change.new:.1f} "
                    f"| {mark}{change.ratio:.2f}{mark} |"
                )
    return "\n".join(lines) if len(lines) > 4 else f"Nothing changed since commit {commits}."


def _order(report: dict[str, Any]) -> tuple[Any, ...]:
    run = report["run"]
    return (
        run["what"] != "steps", run["model"], not engine_name(run).startswith("torch"), engine_name(run),
        run["precision"], -run["network_size"][0], run["objects"],
    )  # fmt: skip


def _row_of(report: dict[str, Any]) -> str:
    """What every table of measurements begins with: what was measured, ms a frame, frames a second."""
    run = report["run"]
    return (
        f"| {run['model']} | {engine_name(run)} | {run['precision']} | {_size(run['network_size'])} | {run['objects']} "
        f"| {_ms(report)} | {report['time']['frames_per_second']:.2f}"
    )


def _ms(report: dict[str, Any]) -> str:
    ms = report["time"]["ms"]
    mark = " !" if is_disturbed(report) else ""
    return f"**{ms['median']:.1f}** ({ms['quartile_1']:.1f}-{ms['quartile_3']:.1f}){mark}"


def _size(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"


def _number(value: float | None, places: int) -> str:
    return "" if not value else f"{value:.{places}f}"


def _percent(value: float | None) -> str:
    return "" if not value else f"{100 * value:.0f} %"
