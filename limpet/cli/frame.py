"""``limpet frame VIDEO --out first.png``: one frame as an image, to draw masks on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limpet.cli.terminal import say
from limpet.core.errors import Option, OutputError, VideoError


def frame_command(
    video: Annotated[
        str,
        typer.Argument(metavar="VIDEO", help="A video, a folder of images or a stream, as for limpet track."),
    ],
    out: Annotated[Path, typer.Option(metavar="PNG", help="The image to write.")],
    at: Annotated[
        int,
        typer.Option(
            metavar="FRAME",
            min=0,
            help="Frame, counted from 0. Cameras need a few frames to adjust their exposure.",
        ),
    ] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Save one frame as an image, to draw a mask on."""
    from PIL import Image

    from limpet.core.files import atomic_path
    from limpet.video.open import open_source

    check_png("out", out, overwrite)
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


def check_png(option: str, path: Path, overwrite: bool) -> None:
    """Raises OutputError unless a picture can be written under the name that was given with ``--option``."""
    if path.suffix.lower() != ".png":
        raise OutputError(
            f"--{option} is {path.name}; expected a name that ends in .png, since the image is a PNG"
        )
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; choose another name, or pass ", Option("overwrite"))
