"""``limpet frame VIDEO --out first.png``: one frame as a picture, to draw masks on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limpet.cli.terminal import say
from limpet.core.errors import OutputError, VideoError


def frame_command(
    video: Annotated[
        str, typer.Argument(metavar="VIDEO", help="What limpet track takes: a video, images, a stream.")
    ],
    out: Annotated[Path, typer.Option(metavar="PNG", help="The picture to write.")],
    at: Annotated[
        int,
        typer.Option(
            metavar="FRAME", min=0, help="Which frame, from 0 on; cameras need some to get the light right."
        ),
    ] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace PNG.")] = False,
) -> None:
    """Write one frame as a picture, to draw a mask on."""
    from PIL import Image

    from limpet.core.files import atomic_path
    from limpet.video.open import open_source

    if out.suffix.lower() != ".png":
        raise OutputError(f"the picture is written as PNG, and {out.name} does not end in .png")
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists; choose another name, or pass --overwrite")
    with open_source(video) as reader:
        frame = next(reader.frames_from(at), None)
        if frame is None:
            raise VideoError(f"{reader.name} ends before frame {at}; choose an earlier one")
        if frame.image is None:
            raise VideoError(f"frame {at} of {reader.name} cannot be decoded; choose another one with --at")
        with atomic_path(out) as temporary:
            Image.fromarray(frame.image).save(temporary, format="PNG")
    height, width = frame.image.shape[:2]
    say(f"frame {frame.index} at {frame.time:.2f} s, {height}x{width} -> {out}")
