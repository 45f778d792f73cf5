"""``limpet visualise VIDEO --mask FIRST.png --out DIR``: pictures of what the model looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limpet.cli.options import DeviceName, ModelName, ShorterSide, WeightsFile
from limpet.cli.terminal import FrameProgress, StopBetweenFrames, notes, say
from limpet.core.errors import LimpetError, VideoError

if TYPE_CHECKING:
    from limpet.tracking.visualise_attention import VisualiseResult


def visualise_command(
    video: Annotated[
        str,
        typer.Argument(
            metavar="VIDEO", help="A video file, a folder of images, or a pattern such as frame_%05d.jpg."
        ),
    ],
    mask: Annotated[
        Path,
        typer.Option(
            metavar="PNG", help="Mask of the first frame: an indexed PNG whose values are object ids."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of pictures.")],
    model: ModelName = None,
    weights: WeightsFile = None,
    device: DeviceName = "auto",
    max_size: ShorterSide = 480,
    what: Annotated[
        str, typer.Option(metavar="LIST", help="Which pictures: some of maps,points,query,grid.")
    ] = "maps,points,query,grid",
    kind: Annotated[
        str,
        typer.Option(
            metavar="long-term|self",
            help="Attention to the remembered frames, or of the frame to itself.",
        ),
    ] = "long-term",
    layer: Annotated[int, typer.Option(help="Which layer, from 0 on; -1 is the last.")] = -1,
    object_id: Annotated[
        int | None, typer.Option("--object", metavar="ID", help="Draw one object.  [default: all]")
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y",
            help="The place whose keys are drawn, in pixels.  [default: where the object reads its key points most]",
        ),
    ] = None,
    frames: Annotated[
        str | None, typer.Option(metavar="LIST", help="Frames to keep as PNG, such as 10,20.")
    ] = None,
    every: Annotated[
        int, typer.Option(metavar="K", min=1, help="Without --frames, keep every K-th frame as PNG.")
    ] = 10,
    movie: Annotated[
        bool, typer.Option("--video/--no-video", help="Also draw all frames, as one video for each kind.")
    ] = True,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="first|official|ring|bounded",
            help="Which frames to go on reading.  [default: as the model was trained]",
        ),
    ] = None,
    resize_mask: Annotated[
        bool, typer.Option("--resize-mask", help="Fit a mask of another size to the frames.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier pictures in DIR.")] = False,
) -> None:
    """Draw what the model looks at while it follows objects.

    maps: the places that get most attention. points: the key points, above 0.85 of the largest attention.
    query: one place, and the 200 keys that it reads most. grid: where a deformable model reads.
    Ctrl-C keeps what is drawn.
    """
    import limpet
    from limpet.tracking.visualise_attention import VisualiseConfig, visualise

    wish = VisualiseConfig(
        what=tuple(name.strip() for name in what.split(",") if name.strip()),
        layer=layer,
        kind=kind,  # type: ignore[arg-type]  # the model says so when it is neither
        object_id=object_id,
        query=parse_query(query),
        frames=parse_frames(frames),
        every=every,
        movies=movie,
    )
    tracker = partial(limpet.load, model, weights=weights, device=device, max_size=max_size, memory=memory)
    with _frame_by_frame(Path(video).name, out) as on_frame:
        result = visualise(
            video, mask, out, tracker=tracker, wish=wish, resize_mask=resize_mask,
            overwrite=overwrite, on_frame=on_frame,
        )  # fmt: skip
    _tell(result)


def parse_frames(text: str | None) -> tuple[int, ...] | None:
    """``10,20`` -> numbers. Raises VideoError for anything else."""
    try:
        return None if text is None else tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise VideoError(
            f"--frames {text!r} is not understood; expected numbers with commas between them, such as 10,20"
        ) from error


def parse_query(text: str | None) -> tuple[float, float] | None:
    """``320,180`` -> (x, y). Raises VideoError for anything else."""
    try:
        if text is None:
            return None
        x, y = (float(part) for part in text.split(","))
        return x, y
    except ValueError as error:
        raise VideoError(
            f"--query {text!r} is not understood; expected X,Y in pixels from the top left, such as 320,180"
        ) from error


@contextmanager
def _frame_by_frame(name: str, folder: Path) -> Iterator[Callable[[int, int | None, int], None]]:
    """A bar, stops between frames, and words on what is kept."""
    drawn = 0
    try:
        with StopBetweenFrames() as stop, FrameProgress(name) as progress:

            def on_frame(done: int, total: int | None, drawn_by_now: int) -> None:
                nonlocal drawn
                drawn = drawn_by_now
                progress(done, total)
                stop.frame_done()

            yield on_frame
    except (LimpetError, KeyboardInterrupt) as reason:
        stopped = "stopped; " if isinstance(reason, KeyboardInterrupt) else ""
        if drawn:
            reason.add_note(f"{stopped}the pictures of {_frames(drawn)} are kept in {folder}")
        elif stopped:
            reason.add_note("stopped before the first picture; nothing was written")
        raise


def _tell(result: VisualiseResult) -> None:
    """The outcome; raises VideoError when a part of what was asked for could not be done."""
    notes(result.notices, rest="of the same kind")
    if result.frames:
        pictures = "1 picture" if result.pictures == 1 else f"{result.pictures} pictures"
        say(f"{', '.join(result.kinds)} of {_frames(result.frames)}, {pictures} as PNG -> {result.folder}")
    if result.problems:
        raise VideoError("; ".join(result.problems))


def _frames(count: int) -> str:
    return f"{count} frame" if count == 1 else f"{count} frames"
