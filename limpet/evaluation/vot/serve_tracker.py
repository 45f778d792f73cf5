"""A tracker as VOT's toolkit runs it: masks of the first frame come in, a mask of each object goes out for every frame.

Shapes: H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import DataError, LimpetError, MaskError
from limpet.core.masks import MAX_ID
from limpet.core.tracker_protocol import AnyTracker
from limpet.evaluation.vot.regions import ABSENT, decode_region, encode_region
from limpet.evaluation.vot.trax_connection import FrameRequest, TraxConnection
from limpet.video.image_reader import read_image

Image = NDArray[np.uint8]
WARM_UP_SIZE = (480, 854)


class TrackedObjects:
    """The objects of one run: object k of the toolkit has the id k + 1.

    Args:
        tracker: any tracker.
        frame: the first one, uint8 (H, W, 3) RGB. regions: of the objects in it, as text.
        min_confidence: an object is reported as absent in frames in which its confidence is below this.

    Attributes:
        never_seen: positions of the objects that have no pixel of their own in the first frame. They are absent ever
            after.

    Raises:
        DataError: a region is not a mask. MaskError: there are more objects than ids.
    """

    def __init__(
        self, tracker: AnyTracker[Any], frame: Image, regions: Sequence[str], min_confidence: float = 0.0
    ) -> None:
        if len(regions) > MAX_ID:
            raise MaskError(f"the toolkit gave {len(regions)} objects, but ids go from 1 to {MAX_ID}")
        self._tracker, self._min_confidence, self._count = tracker, min_confidence, len(regions)
        self._mask = np.zeros(frame.shape[:2], np.uint8)
        for number, text in enumerate(regions, start=1):  # where objects overlap, later ones are in front
            plane = decode_region(text, f"region {number} of the first frame").on_image(frame.shape[:2])
            self._mask[plane] = number
        present = set(np.unique(self._mask).tolist())
        self.never_seen = [number for number in range(self._count) if number + 1 not in present]
        self._state = tracker.start(frame, self._mask) if self._mask.any() else None

    def follow(self, frame: Image) -> None:
        """Track into the next frame, uint8 (H, W, 3)."""
        if self._state is not None:
            self._mask, self._state = self._tracker.step(frame, self._state)

    def regions(self) -> list[str]:
        """A mask of each object in the last frame, as text, in the order in which they were given."""
        confidence = {} if self._state is None else self._state.confidence
        return [
            encode_region(self._mask == i) if confidence.get(i, 0.0) >= self._min_confidence else ABSENT
            for i in range(1, self._count + 1)
        ]


def serve(
    tracker: AnyTracker[Any], connection: TraxConnection, name: str, min_confidence: float = 0.0
) -> list[str]:
    """Answer the toolkit until it has no more frames. Call ``warm_up`` before, since the clock runs from hello on.

    Args:
        name: of the tracker, for the toolkit.
        min_confidence: see ``TrackedObjects``.

    Returns:
        A sentence for each run with objects that had no pixel in the first frame.

    Raises:
        LimpetError: what went wrong; the toolkit is told, too.
    """
    connection.hello(name)
    run: TrackedObjects | None = None
    remarks = []
    try:
        for request in connection.requests():
            frame = _image(request.image)
            if request.objects:
                run = TrackedObjects(tracker, frame, request.objects, min_confidence)
                if run.never_seen:
                    count = len(run.never_seen)
                    remarks.append(
                        f"{request.image}: {count} of {len(request.objects)} objects have no pixel"
                    )
            else:
                run = _next(run, frame, request)
            connection.answer(run.regions())
    except LimpetError as error:
        connection.quit(str(error))
        raise
    return remarks


def warm_up(tracker: AnyTracker[Any], size: tuple[int, int] | None = None) -> None:
    """Track an object through two grey frames: the first steps of a process take longer than all others.

    Args:
        size: (H, W) of the frames; None takes that of a bundle which is for one size, or 480x854.
    """
    size = size or getattr(getattr(tracker, "manifest", None), "frame_size", None) or WARM_UP_SIZE
    frame, mask = np.full((*size, 3), 128, np.uint8), np.zeros(size, np.uint8)
    mask[: size[0] // 2, : size[1] // 2] = 1
    tracker.step(frame, tracker.start(frame, mask))


def _next(run: TrackedObjects | None, frame: Image, request: FrameRequest) -> TrackedObjects:
    if run is None:
        raise DataError(f"the toolkit sent the frame {request.image} before any object")
    run.follow(frame)
    return run


def _image(path: Path) -> Image:
    try:
        return read_image(path)
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"cannot read the frame {path}: {error}") from error
