"""How much an exported tracker's masks differ from those of the tracker in torch and fp32, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import VideoError, WeightsError
from limpet.core.groups import object_ids
from limpet.core.tracker_protocol import AnyTracker
from limpet.evaluation.metrics import region_similarity
from limpet.runtime.manifest import Manifest
from limpet.tracking.load import load
from limpet.tracking.memory_policies import POLICIES, MemoryPolicy
from limpet.tracking.tracker import Tracker

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Mask = NDArray[np.uint8]  # (H, W) of ids

BARS = {"fp32": 0.999, "fp16": 0.995, "bf16": 0.995, "int8": 0.98}
"""By precision: the mean IoU with torch in fp32 from which on masks count as those of the same tracker."""


@dataclass(frozen=True)
class Parity:
    """What a comparison found. The first frame, whose mask is given, does not count.

    ious: of each later frame, the mean over its objects of the IoU of both masks; 1 where both are empty.
    first_difference: the first frame in which any pixel differs, or None.
    """

    ious: tuple[float, ...]
    first_difference: int | None

    @property
    def mean(self) -> float:
        """Over all frames."""
        return float(np.mean(self.ious))

    @property
    def worst(self) -> tuple[int, float]:
        """The frame with the lowest IoU, and its IoU."""
        place = int(np.argmin(self.ious))
        return place + 1, self.ious[place]

    def sentence(self) -> str:
        """Everything in one sentence."""
        frame, iou = self.worst
        same = (
            "no pixel differs"
            if self.first_difference is None
            else f"the first pixel differs in frame {self.first_difference}"
        )
        return (
            f"mean IoU {self.mean:.4f} with torch fp32 over {len(self.ious)} frames, "
            f"worst {iou:.4f} in frame {frame}, {same}"
        )


def compare(
    one: AnyTracker[Any],
    other: AnyTracker[Any],
    frames: Iterable[Image],
    mask: Mask,
    on_frame: Callable[[int], None] = lambda done: None,
) -> Parity:
    """Track a clip with two trackers, each of which uses its own masks.

    Args:
        frames: uint8 (H, W, 3) RGB, the first one with the mask (H, W) of ids.
        on_frame: called with the number of frames that are done.

    Raises:
        VideoError: fewer than two frames. VideoError, MaskError: raised by the trackers.
    """
    left = iter(frames)
    first = next(left, None)
    if first is None:
        raise VideoError("there is no frame to compare on")
    states = one.start(first, mask), other.start(first, mask)
    ids, ious, first_difference = object_ids(mask), [], None
    for index, frame in enumerate(left, start=1):
        (a, after), (b, other_after) = one.step(frame, states[0]), other.step(frame, states[1])
        states = after, other_after
        ious.append(float(np.mean([region_similarity(a == i, b == i) for i in ids])))
        if first_difference is None and not np.array_equal(a, b):
            first_difference = index
        on_frame(index)
    if not ious:
        raise VideoError("one frame is nothing to compare on; two or more are needed")
    return Parity(tuple(ious), first_difference)


def reference_tracker(manifest: Manifest, weights: Path | None = None) -> Tracker:
    """The tracker in torch and fp32 that a bundle was made from.

    Raises:
        WeightsError: these are not the bundle's weights.
    """
    memory: MemoryPolicy | str = (
        POLICIES[manifest.memory](gap=manifest.gap, max_frames=manifest.ring) if manifest.ring else "first"
    )
    tracker = load(
        manifest.model,
        weights=weights,
        device="cpu",
        max_size=manifest.max_short,
        precision="fp32",
        memory=memory,
        flow=manifest.flow,  # type: ignore[arg-type]  # a name that load checks
    )
    if tracker.weights_sha256 != manifest.weights_sha256:
        raise WeightsError(
            f"the bundle was made from other weights of {manifest.model} (sha256 {manifest.weights_sha256[:12]}, these "
            f"are {tracker.weights_sha256[:12]}); name its own with --weights FILE"
        )
    return tracker
