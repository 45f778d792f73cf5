"""``limpet bench``: how fast a tracker is here, stage by stage, and how near to what the machine can do."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Annotated

import typer

from limpet.cli.options import MODEL, DeviceName, ShorterSide
from limpet.cli.progress import FrameProgress
from limpet.cli.say import note, say
from limpet.files import output_error


def bench_command(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="Which model; see: limpet models.", show_default=MODEL),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Weights, whose model is measured.  [default: those that ship, or random]"
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="torch|torch-compiled|onnx|openvino|litert",
            help="What computes.  [default: torch, or the bundle's]",
        ),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(metavar="DIR", help="An exported tracker, made by: limpet export.")
    ] = None,
    size: Annotated[str, typer.Option(metavar="HxW", help="Of the frames in pixels.")] = "480x854",
    max_size: ShorterSide = 480,
    objects: Annotated[int, typer.Option(metavar="N", help="How many are tracked.")] = 3,
    precision: Annotated[
        str, typer.Option(metavar="auto|fp32|bf16", help="auto takes bf16 where the processor has it.")
    ] = "auto",
    device: DeviceName = "auto",
    threads: Annotated[int, typer.Option(metavar="N", help="Of the engine.")] = 2,
    frames: Annotated[int, typer.Option(metavar="N", help="How many are measured.")] = 20,
    warm_up: Annotated[int, typer.Option(metavar="N", help="How many go before them, unmeasured.")] = 4,
    end_to_end: Annotated[
        bool,
        typer.Option("--end-to-end", help="From a video file to masks on the disk, not the steps alone."),
    ] = False,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="With --end-to-end: write overlay.mp4 too.")
    ] = False,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all figures there too.")] = None,
    compare: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Show what changed since an earlier --json.")
    ] = None,
) -> None:
    """Measure how fast a tracker is on this machine.

    Times by stage, memory, floating-point operations and bytes, each as a share of what this machine can do.
    """
    from limpet.bench.memory import resident_mb

    at_first_mb = resident_mb()
    from limpet.bench import compare as comparing
    from limpet.bench.choose import choose_engine, choose_model
    from limpet.bench.others import warning
    from limpet.bench.report import read_report, write_report
    from limpet.bench.run import bench
    from limpet.bench.settings import BenchSettings, parse_size
    from limpet.cli.bench_table import print_comparison, print_report

    if json is not None and not json.absolute().parent.is_dir():  # better told now than after the measurement
        raise output_error(FileNotFoundError(errno.ENOENT, ""), json)
    earlier = None if compare is None else read_report(compare)
    settings = BenchSettings(
        choose_model(model, weights, bundle, MODEL), weights, choose_engine(engine, bundle), bundle, device, precision,
        parse_size(size), max_size, objects, threads, frames, warm_up, end_to_end, overlay,
    )  # fmt: skip
    with FrameProgress("measuring") as progress:
        total = settings.warm_up + settings.frames
        report = bench(settings, at_first_mb=at_first_mb, on_frame=lambda done: progress(done, total))
    print_report(report)
    machine = report["machine"]
    told = warning(machine["cores_of_others"], machine["load"]) or warning(
        report["time"]["cores_of_others"], None
    )
    if told:
        note(told)
    if earlier is not None:
        print_comparison(comparing.compare(earlier, report))
    if json is not None:
        write_report(report, json)
        say(f"all figures -> {json}")
