"""``limpet export MODEL --to FORMAT``: a tracker as files that run without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from limpet.cli.options import MODEL, Flow, NetworkSize, WeightsFile
from limpet.cli.terminal import note, say
from limpet.core.errors import MaskError, ModelError

if TYPE_CHECKING:
    from limpet.export.calibration_clip import SampleClip
    from limpet.runtime.manifest import Manifest


def export_command(
    to: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help="Format: onnx, openvino, litert, coreml or torch.")
    ],
    size: Annotated[
        str,
        typer.Option("--size", metavar="HxW", help="Size of the frames in pixels, such as 480x854; or any."),
    ],
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model; see: limpet models.")] = MODEL,
    weights: WeightsFile = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder to make.", show_default="MODEL-FORMAT"),
    ] = None,
    objects: Annotated[int, typer.Option(metavar="N", min=1, help="Largest number of objects.")] = 10,
    references: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Reference frames (with given masks) that the memory holds."),
    ] = 1,
    ring: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Tracked frames that the long-term memory holds.",
            show_default="as many as the model's own memory policy keeps, or 5",
        ),
    ] = None,
    gap: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Frames between two of those (long-term memory gap).",
            show_default="the model's own, or 5",
        ),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="ring|bounded",
            help="Memory policy, which of those stay: the newest (ring) or a chosen few (bounded).",
            show_default="bounded if it is the model's own, else ring",
        ),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(metavar="fp32|fp16|bf16|int8", help="Number format; not every FORMAT has each of them."),
    ] = "fp32",
    compiled: Annotated[
        bool,
        typer.Option("--compiled", help="With --to torch: compile for this processor (needs g++)."),
    ] = False,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Short for --precision int8: 8-bit layers; reports the loss of accuracy."
        ),
    ] = False,
    calibrate: Annotated[
        str | None,
        typer.Option(metavar="VIDEO", help="For int8: video like yours.", show_default="the demo clip"),
    ] = None,
    calibrate_mask: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Mask of the first frame of that video.")
    ] = None,
    max_size: NetworkSize = 480,
    flow: Flow = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export in DIR.")] = False,
) -> None:
    """Export a tracker for another runtime.

    The folder holds the whole tracker, memory included, as two graphs (for the first frame and for all others) and a
    manifest.json that describes their inputs and outputs. To run it: limpet track --bundle DIR.
    """
    from limpet.core.sizes import parse_size
    from limpet.export.bundle import ExportPlan, export
    from limpet.export.writer import ExportOptions

    folder = out or Path(f"{model}-{to}")
    precision = "int8" if int8 else precision
    options = ExportOptions(precision, _clip(calibrate, calibrate_mask, precision == "int8"), compiled)
    frame_size = None if size == "any" else parse_size(size, ", or any")
    plan = ExportPlan(
        model, to, frame_size, weights, objects, references, ring, gap, memory, max_size, options,
        flow,  # type: ignore[arg-type]  # load says so itself when it is no source
    )  # fmt: skip
    console = Console(stderr=True)
    with console.status("") as status:
        manifest = export(
            plan, folder, overwrite=overwrite, on_stage=lambda stage: status.update(f"{stage} …")
        )
    _tell(manifest, folder)


def _clip(video: str | None, mask: Path | None, int8: bool) -> SampleClip | None:
    """The clip to calibrate on; None for the demo clip. Raises MaskError, VideoError."""
    from limpet.export.calibration_clip import read_clip

    if (video is None) != (mask is None):
        raise MaskError("give --calibrate VIDEO and --calibrate-mask PNG both, or neither for the demo clip")
    if video is None or mask is None:
        return None
    if not int8:
        raise ModelError("--calibrate is for --int8; add that, or leave out the clip")
    return read_clip(video, mask)


def _tell(manifest: Manifest, folder: Path) -> None:
    for line in manifest.notes:
        note(line)
    total = sum((folder / name).stat().st_size for name in manifest.files) / 1e6
    say(f"{manifest.model} as {manifest.backend} {manifest.precision}, {total:.1f} MB -> {folder}")
