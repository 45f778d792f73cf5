"""``limpet track VIDEO --mask FIRST.png``: the masks of every frame from the masks of the first."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from limpet.cli.progress import frame_progress
from limpet.errors import MaskError


def track_command(
    video: Annotated[str, typer.Argument(help="A video file, a folder of images, or frame_%05d.jpg.")],
    mask: Annotated[Path, typer.Option(help="Indexed PNG of the first frame; pixel values are object ids.")],
    out: Annotated[Path | None, typer.Option(help="Folder of results; left out: VIDEO's name + -masks.")] = None,
    add: Annotated[
        list[str] | None, typer.Option(help="FRAME:MASK.png, new or corrected objects later on; may be repeated.")
    ] = None,
    model: Annotated[str, typer.Option(help="Name of the model; see: limpet models.")] = "deaot-t",
    weights: Annotated[Path | None, typer.Option(help="Weights file; left out: the bundled one.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    max_size: Annotated[int, typer.Option(min=16, help="Shorter side of what the network sees, in pixels.")] = 480,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    resize_mask: Annotated[bool, typer.Option("--resize-mask", help="Fit masks of another size.")] = False,
    overlay: Annotated[bool, typer.Option("--overlay/--no-overlay", help="Write overlay.mp4.")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result.")] = False,
) -> None:
    """Follow objects through a video.

    Writes indexed PNG masks, an overlay video and a report. Ctrl-C keeps all frames that are done.
    """
    import limpet
    from limpet.tracking.run import track

    console = Console(stderr=True)
    folder = out if out is not None else Path(f"{Path(video).stem or 'video'}-masks")
    tracker = partial(limpet.load, model, weights=weights, device=device, max_size=max_size, precision=precision)  # type: ignore[arg-type]
    with frame_progress(Path(video).name) as on_frame:
        result = track(
            video, mask, folder, tracker=tracker, add=later_masks(add or []), overwrite=overwrite,
            resize_mask=resize_mask, overlay=overlay, on_frame=on_frame,
        )  # fmt: skip
    for line in (*result.failures, *result.notices):
        console.print(f"note: {line}", style="yellow", markup=False)
    ids = ", ".join(map(str, result.object_ids))
    Console().print(
        f"{result.frames} frames, objects {ids}, {result.frames_per_second:.1f} frames/s -> {result.folder}",
        markup=False, highlight=False,
    )  # fmt: skip


def later_masks(texts: list[str]) -> dict[int, Path]:
    """``30:other.png`` … -> masks by frame index. Raises MaskError for another form."""
    found: dict[int, Path] = {}
    for text in texts:
        frame, colon, path = text.partition(":")
        if not colon or not frame.isdigit() or not path:
            raise MaskError(f"--add {text!r} is not understood; expected FRAME:MASK.png, for instance 30:new.png")
        if int(frame) in found:
            raise MaskError(f"--add names frame {frame} twice; draw its objects into one mask")
        found[int(frame)] = Path(path)
    return found
