"""``limpet demo``: track the clip in the package with the weights in the package, and score the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from limpet.cli.bundle_options import Bundle, RuntimeName, exported_tracker
from limpet.cli.options import DeviceName, ModelName, WeightsFile
from limpet.cli.terminal import notes, say
from limpet.cli.track import frame_by_frame

if TYPE_CHECKING:
    from limpet.evaluation.scores import Scores


def demo_command(
    context: typer.Context,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of results.")] = Path("demo-result"),
    model: ModelName = None,
    weights: WeightsFile = None,
    bundle: Bundle = None,
    runtime: RuntimeName = None,
    device: DeviceName = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result in DIR.")] = False,
) -> None:
    """Track the objects of the demo clip, and score the result.

    An astronaut, a cat and a cup move over a photo. The clip was composed from cut-outs, so the exact masks are known.
    """
    import limpet
    from limpet.demo.run_demo import run_demo

    exported = exported_tracker(context, bundle, runtime)
    tracker = exported() if exported else limpet.load(model, weights=weights, device=device)
    info = {
        "model": tracker.name,
        "weights_sha256": tracker.weights_sha256,
        "calibrated": tracker.calibration is not None,
    }
    with frame_by_frame("demo clip", out) as on_frame:
        result = run_demo(out, tracker, overwrite=overwrite, info=info, on_frame=on_frame)
    Console().print(_table(result.scores))
    notes(result.notices, rest=f"see {result.folder / 'report.json'}")
    if result.scores.frames_per_second:
        say(f"{result.scores.frames_per_second:.1f} frames/s in the tracker")
    say(f"look at {result.overlay or result.folder} and {result.folder / 'report.html'}")


def _table(scores: Scores) -> Table:
    from limpet.demo.demo_clip import OBJECT_NAMES

    table = Table("object", box=box.SIMPLE_HEAD)
    for name in ("J", "F", "J&F"):
        table.add_column(name, justify="right")
    for item in scores.objects:
        table.add_row(OBJECT_NAMES[item.object_id], *_per_cent(item.j.mean, item.f.mean, item.j_and_f))
    table.add_section()
    table.add_row("all", *_per_cent(scores.j_mean, scores.f_mean, scores.j_and_f), style="bold")
    return table


def _per_cent(*shares: float) -> tuple[str, ...]:
    return tuple(f"{100 * share:.1f}" for share in shares)
