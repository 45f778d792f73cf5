"""``limpet parity BUNDLE``: an exported tracker compared with the one in torch, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limpet.cli.options import WeightsFile
from limpet.cli.terminal import FrameProgress, notes, say
from limpet.core.errors import MaskError, ModelError

if TYPE_CHECKING:
    from limpet.export.parity import Image, Mask


def parity_command(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A folder that limpet export made.")],
    video: Annotated[
        str | None,
        typer.Argument(metavar="VIDEO", help="The video to compare on.", show_default="the demo clip"),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Mask of the first frame of VIDEO.")
    ] = None,
    weights: WeightsFile = None,
) -> None:
    """Compare an exported tracker with the one in torch and fp32.

    Prints the mean IoU of their masks over all frames, the worst frame, and the first one where a pixel differs. The
    exit code is 2 when the mean is below the limit for the precision of the bundle.
    """
    from limpet.export.parity import BARS, compare, reference_tracker
    from limpet.runtime.exported_tracker import load_exported

    exported = load_exported(bundle)
    precision = exported.manifest.precision
    tracker = reference_tracker(exported.manifest, weights)
    with _clip(video, mask) as (frames, first, count), FrameProgress(bundle.name) as progress:
        found = compare(tracker, exported, frames, first, lambda done: progress(done, count))
    say(f"{bundle.name}, {exported.engine.runtime} {precision}: {found.sentence()}")
    if found.mean < BARS[precision]:
        raise ModelError(
            f"mean IoU {found.mean:.4f} is below {BARS[precision]}, the limit for {precision}; check the masks of this "
            f"bundle before you use it"
        )


@contextmanager
def _clip(video: str | None, mask: Path | None) -> Iterator[tuple[Iterator[Image], Mask, int | None]]:
    """The frames, the first mask, and the number of steps if it is known. Raises VideoError, MaskError."""
    from limpet.core.masks import read_mask
    from limpet.demo.demo_clip import demo_video, first_mask
    from limpet.video.open import open_video

    if (video is None) != (mask is None):
        raise MaskError("give VIDEO and --mask PNG both, or neither for the demo clip")
    with open_video(demo_video() if video is None else video) as reader:
        first = first_mask() if mask is None else read_mask(mask, reader.size)
        frames = (frame.image for frame in reader if frame.image is not None)
        yield frames, first, None if reader.frame_count is None else reader.frame_count - 1
        notes([str(failure) for failure in reader.failures], rest=f"see: limpet track {video}")
