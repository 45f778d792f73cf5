"""``limpet segment IMAGE --point x,y --out mask.png``: a first mask from clicks or a box, without drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from limpet.cli.frame import check_png
from limpet.cli.options import SegmenterName
from limpet.cli.terminal import note, say
from limpet.core.errors import MaskError, Option, VideoError
from limpet.core.tracker_protocol import Image, Mask


def segment_command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE", help="An image; or a video, a folder of images or a stream, with --at."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="PNG", help="The mask to write.")],
    point: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y", help="A click on the object, in pixels from the top left. May be repeated."
        ),
    ] = None,
    not_point: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y", help="A click on what is not the object. May be repeated."),
    ] = None,
    box: Annotated[
        str | None,
        typer.Option(
            metavar="X0,Y0,X1,Y1", help="A box around the object; the mask begins with what stands out in it."
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG",
            help="A mask to put right: the clicks change what they touch. Its other objects stay.",
        ),
    ] = None,
    object_id: Annotated[
        int, typer.Option("--object", metavar="ID", min=1, max=254, help="The object's id in the mask.")
    ] = 1,
    at: Annotated[int, typer.Option(metavar="FRAME", min=0, help="Frame of a video, counted from 0.")] = 0,
    view: Annotated[
        Path | None,
        typer.Option(metavar="PNG", help="Also write a picture that shows the mask on the image."),
    ] = None,
    segmenter: SegmenterName = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Make the mask of an object from clicks or a box.

    Look at it with --view, and add clicks until it is right. limpet serve does the same with a mouse.
    """
    from limpet.core.masks import write_mask
    from limpet.segment import Click, load_segmenter, segment_box

    check_png("out", out, overwrite)
    if view is not None:
        check_png("view", view, overwrite)
    clicks = [Click(*_pair("point", text), positive=True) for text in point or []]
    clicks += [Click(*_pair("not-point", text), positive=False) for text in not_point or []]
    corners = None if box is None else _numbers("box", box, 4)
    if not clicks and corners is None:
        raise MaskError(
            "nothing shows the object; give ", Option("point", "X,Y"), " or ", Option("box", "X0,Y0,X1,Y1")
        )
    image = _image(source, at)
    known, present = _given(mask, image, object_id)
    if corners is not None:
        x0, y0, x1, y1 = corners
        present = segment_box(image, (x0, y0, x1, y1))
    if clicks:
        model = load_segmenter(segmenter)
        if model is None:
            raise MaskError(
                "there is no model for clicks here; give ",
                Option("segmenter", "FILES"),
                " or ",
                Option("box", "X0,Y0,X1,Y1"),
            )
        present = model.segment(image, clicks, present)
    assert present is not None
    known[known == object_id] = 0
    known[present > 0] = object_id
    if not present.any():
        raise MaskError("nothing was found there; click on the middle of the object, or draw a box around it")
    write_mask(out, known)
    if view is not None:
        _write_view(view, image, known, clicks)
    height, width = known.shape
    share = float((present > 0).mean())
    say(f"object {object_id}: {share:.1%} of {width}x{height} pixels -> {out}")
    if view is None:
        note("see whether it is right with --view PNG; track it with: limpet track VIDEO --mask " + str(out))


def _pair(name: str, text: str) -> tuple[float, float]:
    x, y = _numbers(name, text, 2)
    return x, y


def _numbers(name: str, text: str, count: int) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count:
        shape = "X,Y" if count == 2 else "X0,Y0,X1,Y1"
        raise MaskError(
            f"--{name} is {text!r}; expected {shape}: {count} numbers of pixels with commas between them"
        )
    return values


def _image(source: str, at: int) -> Image:
    """Frame ``at`` of a video; an image is a video of one frame."""
    from limpet.video.image_reader import IMAGE_SUFFIXES, read_image
    from limpet.video.open import open_source

    if Path(source).suffix.lower() in IMAGE_SUFFIXES and Path(source).is_file():
        return read_image(Path(source))
    with open_source(source) as reader:
        frame = next(reader.frames_from(at), None)
        if frame is None or frame.image is None:
            raise VideoError(
                f"{reader.name} has no frame {at} that can be decoded; choose another one with --at"
            )
        return frame.image


def _given(path: Path | None, image: Image, object_id: int) -> tuple[Mask, Mask | None]:
    """The mask of all objects so far, and that of the object, if there is one."""
    import numpy as np

    from limpet.core.masks import read_mask

    size = (image.shape[0], image.shape[1])
    if path is None:
        return np.zeros(size, np.uint8), None
    known = read_mask(path, size)
    present = (known == object_id).astype(np.uint8)
    return known, present if present.any() else None


def _write_view(path: Path, image: Image, mask: Mask, clicks: list[Any]) -> None:
    """The mask on the image, and the clicks: green on the object, red beside it."""
    import cv2
    import numpy as np
    from PIL import Image as Pictures

    from limpet.core.files import atomic_path
    from limpet.visual.overlay import draw_overlay

    picture = np.ascontiguousarray(draw_overlay(image, mask))
    radius = max(3, round(min(mask.shape) / 90))
    for each in clicks:
        centre = (int(each.x), int(each.y))
        cv2.circle(
            picture, centre, radius, (47, 209, 107) if each.positive else (255, 82, 82), -1, cv2.LINE_AA
        )
        cv2.circle(picture, centre, radius, (255, 255, 255), max(1, radius // 4), cv2.LINE_AA)
    with atomic_path(path) as temporary:
        Pictures.fromarray(picture).save(temporary, format="PNG")
