"""``limpet visualise VIDEO --mask FIRST.png --out DIR``: attention maps of the model, drawn over the frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limpet.cli.options import (
    DeviceName,
    MemoryPolicyName,
    ModelName,
    NetworkSize,
    ResizeMask,
    WeightsFile,
)
from limpet.cli.terminal import FrameProgress, StopBetweenFrames, counted, notes, say
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
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the pictures.")],
    model: ModelName = None,
    weights: WeightsFile = None,
    device: DeviceName = "auto",
    max_size: NetworkSize = 480,
    what: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Kinds of pictures: any of maps,points,query,grid and, for models that follow motion, flow,sampling,"
            "scales.",
            show_default="all that suit the model",
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            metavar="long-term|self",
            help="Attention to the frames in long-term memory, or of the frame to itself.",
        ),
    ] = "long-term",
    layer: Annotated[int, typer.Option(metavar="N", help="Layer, counted from 0; -1 is the last.")] = -1,
    object_id: Annotated[
        int | None, typer.Option("--object", metavar="ID", help="Draw only this object.", show_default="all")
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y",
            help="The query position whose keys are drawn, in pixels.",
            show_default="where the object attends most to its key points",
        ),
    ] = None,
    frames: Annotated[
        str | None, typer.Option(metavar="LIST", help="Frames to save as PNG, such as 10,20.")
    ] = None,
    every: Annotated[
        int, typer.Option(metavar="K", min=1, help="Without --frames, save every K-th frame as PNG.")
    ] = 10,
    movie: Annotated[
        bool, typer.Option("--video/--no-video", help="Also write a video of all frames for each kind.")
    ] = True,
    memory: MemoryPolicyName = None,
    resize_mask: ResizeMask = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier pictures in DIR.")] = False,
) -> None:
    """Draw the attention of a model while it tracks.

    maps: attention as a heat map. points: the key points, those above 0.85 of the largest attention. query: one query
    position and the 200 keys that it attends to most. grid: the sampling locations of a deformable model. For models
    that follow motion: flow, by the colour wheel; sampling, the places that the query reads in the previous frame;
    scales, long-term maps at strides 16 and 32. Ctrl-C keeps what is drawn.
    """
    import limpet
    from limpet.tracking.visualise_attention import VisualiseConfig, visualise

    config = VisualiseConfig(
        what=None if what is None else tuple(name.strip() for name in what.split(",") if name.strip()),
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
            video, mask, out, tracker=tracker, config=config, resize_mask=resize_mask,
            overwrite=overwrite, on_frame=on_frame,
        )  # fmt: skip
    _tell(result)


def parse_frames(text: str | None) -> tuple[int, ...] | None:
    """``10,20`` -> numbers. Raises VideoError for anything else."""
    try:
        return None if text is None else tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise VideoError(
            f"--frames is {text!r}; expected numbers separated by commas, such as 10,20"
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
            f"--query is {text!r}; expected X,Y in pixels from the top left, such as 320,180"
        ) from error


@contextmanager
def _frame_by_frame(name: str, folder: Path) -> Iterator[Callable[[int, int | None, int], None]]:
    """A progress bar, interrupts between frames, and notes on what is kept."""
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
            reason.add_note(f"{stopped}the pictures of {counted(drawn, 'frame')} are kept in {folder}")
        elif stopped:
            reason.add_note("stopped before the first picture; nothing was written")
        raise


def _tell(result: VisualiseResult) -> None:
    """Print the outcome. Raises VideoError when a part of the task could not be done."""
    notes(result.notices, rest="of the same kind")
    if result.frames:
        pictures = counted(result.pictures, "picture")
        say(
            f"{', '.join(result.kinds)} of {counted(result.frames, 'frame')}, {pictures} as PNG -> {result.folder}"
        )
    if result.problems:
        raise VideoError("; ".join(result.problems))
