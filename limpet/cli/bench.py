"""``limpet bench``: how fast a tracker is on this machine, stage by stage, compared with the limits of the machine."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from limpet.cli.options import MODEL, MODEL_PANEL, DeviceName, NetworkSize
from limpet.cli.terminal import FrameProgress, counted, note, say
from limpet.core.files import output_error

if TYPE_CHECKING:
    from limpet.bench.compare import Comparison
    from limpet.bench.report import BenchReport, MemoryFacts, StageFacts
    from limpet.bench.roofline import RooflinePeaks


def bench_command(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="Model; see: limpet models.", show_default=MODEL),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Weights of the model.",
            show_default="those in the package, or random ones",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Engine to measure: torch, torch-compiled, onnx, openvino or litert.",
            show_default="torch, or that of --bundle",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="An exported tracker, made by: limpet export.", rich_help_panel=MODEL_PANEL
        ),
    ] = None,
    size: Annotated[str, typer.Option(metavar="HxW", help="Size of the frames, in pixels.")] = "480x854",
    max_size: NetworkSize = 480,
    objects: Annotated[int, typer.Option(metavar="N", help="Number of objects.")] = 3,
    precision: Annotated[
        str,
        typer.Option(
            metavar="auto|fp32|bf16",
            help="Number format; auto uses bf16 where the processor has it.",
            rich_help_panel=MODEL_PANEL,
        ),
    ] = "auto",
    device: DeviceName = "auto",
    threads: Annotated[int, typer.Option(metavar="N", help="CPU threads of the engine.")] = 2,
    frames: Annotated[int, typer.Option(metavar="N", help="Number of frames that are measured.")] = 20,
    warm_up: Annotated[
        int, typer.Option(metavar="N", help="Number of frames before them that are not measured.")
    ] = 4,
    end_to_end: Annotated[
        bool,
        typer.Option("--end-to-end", help="Measure the whole job, from a video file to masks on disk."),
    ] = False,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="With --end-to-end: also write overlay.mp4.")
    ] = False,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write all figures to FILE.")] = None,
    compare: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Show what changed since an earlier --json.")
    ] = None,
) -> None:
    """Measure how fast a tracker is on this machine.

    Times by stage, memory, floating-point operations and bytes, each as a share of what this machine can do.
    """
    from limpet.bench.machine import resident_mb

    at_first_mb = resident_mb()
    from limpet.bench.benchmark import run_benchmark
    from limpet.bench.compare import compare as compare_reports
    from limpet.bench.config import BenchConfig, choose_engine, choose_model
    from limpet.bench.machine import busy_warning
    from limpet.bench.report import read_report, write_report
    from limpet.core.sizes import parse_size

    if json is not None and not json.absolute().parent.is_dir():  # better told now than after the measurement
        raise output_error(FileNotFoundError(errno.ENOENT, ""), json)
    earlier = None if compare is None else read_report(compare)
    config = BenchConfig(
        choose_model(model, weights, bundle, MODEL), weights, choose_engine(engine, bundle), bundle, device, precision,
        parse_size(size), max_size, objects, threads, frames, warm_up, end_to_end, overlay,
    )  # fmt: skip
    with FrameProgress("measuring") as progress:
        total = config.warm_up + config.frames
        report = run_benchmark(config, at_first_mb=at_first_mb, on_frame=lambda done: progress(done, total))
    print_report(report)
    warning = busy_warning(report.machine.cores_used_by_others, report.machine.load)
    warning = warning or busy_warning(report.time.cores_used_by_others, None)
    if warning:
        note(warning)
    if earlier is not None:
        print_comparison(compare_reports(earlier, report))
    if json is not None:
        write_report(report, json)
        say(f"all figures -> {json}")


_STAGE_COLUMNS = ("stage", "ms", "of time", "GFLOP", "GFLOP/s", "of peak", "MB moved", "GB/s", "of copy")


def print_report(report: BenchReport) -> None:
    """All of a report that a person reads at once."""
    from limpet.bench.machine import machine_lines

    run = report.run
    what = "from end to end" if run.what == "end to end" else "steps alone"
    say(
        f"{run.model}, {run.precision}, {run.engine} on {run.device}, {counted(run.threads, 'thread')}, "
        f"{counted(run.objects, 'object')}, frames {_size(run.frame_size)} "
        f"(network input {_size(run.network_size)}), {what}"
    )
    for line in (
        *machine_lines(report.machine)[:2],
        _time(report),
        _memory(report.memory),
        _roofline(report.roofline),
    ):
        say(line)
    _print_stages(report.stages)


def print_comparison(comparison: Comparison) -> None:
    """Old and new figures; what has become worse is marked."""
    table = _table(("", "old", "new", "new/old", ""))
    for change in comparison.changes:
        worse = change.is_worse
        table.add_row(
            f"{change.name}, {change.unit}", f"{change.old:.1f}", f"{change.new:.1f}", f"{change.ratio:.2f}",
            change.verdict.upper() if worse else change.verdict, style="red" if worse else None,
        )  # fmt: skip
    Console().print(table)
    for line in comparison.differences:
        note(f"not the same conditions: {line}")
    names = ", ".join(change.name for change in comparison.regressions)
    say(f"worse: {names}" if names else "nothing has become worse")


def _time(report: BenchReport) -> str:
    time = report.time
    line = (
        f"time: {time.ms.median:.1f} ms per frame (quartiles {time.ms.quartile_1:.1f} to {time.ms.quartile_3:.1f}), "
        f"{time.frames_per_second:.2f} frames/s; CPU {time.cpu_ms:.1f} ms; first frame {time.start_seconds:.2f} s"
    )
    whole = time.whole_seconds
    if whole is None:
        return line
    frames = 1 + report.run.warm_up + report.run.frames
    return f"{line}; whole job {whole:.2f} s for {frames} frames ({frames / whole:.2f} frames/s)"


def _memory(memory: MemoryFacts) -> str:
    state = "" if memory.state_mb is None else f"; state {memory.state_mb:.1f}"
    return (
        f"memory, MB: {memory.peak_mb:.0f} at the peak, {memory.above_libraries_mb:.0f} of it above the libraries "
        f"and {memory.above_start_mb:.0f} above the bare program{state}; weights {memory.weights_mb:.1f}"
    )


def _roofline(peaks: RooflinePeaks | None) -> str:
    if peaks is None:
        return "peak rates of this machine: not measured, torch is not installed"
    parts = [
        f"{name} {peaks.product[name]:.0f} (convolution {peaks.convolution[name]:.0f}) GFLOP/s"
        for name in peaks.product
    ]
    return f"peak rates of this machine: {', '.join(parts)}; copy {peaks.copy:.1f} GB/s"


def _print_stages(stages: Sequence[StageFacts]) -> None:
    table = _table(_STAGE_COLUMNS)
    whole = stages[-1].ms.median
    for row in stages:
        if row is stages[-1]:
            table.add_section()
        table.add_row(
            row.name, f"{row.ms.median:.1f}", _percent(row.ms.median / whole), _number(row.gflop, 2),
            _number(row.gflop_per_second, 0), _percent(row.share_of_compute), _number(row.moved_mb, 0),
            _number(row.gb_per_second, 1), _percent(row.share_of_copy),
        )  # fmt: skip
    Console().print(table)


def _table(columns: tuple[str, ...]) -> Table:
    # Narrow enough for 80 columns.
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for index, heading in enumerate(columns):
        table.add_column(heading, no_wrap=True, justify="right" if index else "left")
    return table


def _number(value: float | None, places: int) -> str:
    return "" if not value else f"{value:.{places}f}"


def _percent(value: float | None) -> str:
    return "" if not value else f"{100 * value:.0f} %"


def _size(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"
