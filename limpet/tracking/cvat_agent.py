"""A tracking function for CVAT's agents: the tracker follows masks from frame to frame of an annotation task.

It has the protocol of CVAT's own SAM 2 tracker (``cvat_sdk.auto_annotation.TrackingFunction``). An agent runs it on
this computer, which needs no GPU:

    cvat-cli function create-native limpet --function-module limpet.tracking.cvat_agent
    cvat-cli function run-agent ID --function-module limpet.tracking.cvat_agent

Each shape is tracked by itself, with a state of its own; see docs/formats.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from limpet.core.errors import MissingExtraError
from limpet.core.tracker_protocol import AnyTracker, Image

_OBJECT = 1


@dataclass
class TrackedShape:
    """What is known of one shape: the tracker's state after the last frame in which it was asked for."""

    state: Any


class CvatTracker:
    """The functions that CVAT's agent calls.

    Args:
        model: name of a model, or ``hf:owner/name``; "" takes the default.
        weights: a weights file; "" takes those that ship.
        device: "auto", "cpu" or "cuda".
        max_size: network input size, see ``limpet.load``.
        tracker: used instead of a model that is loaded.

    Raises:
        MissingExtraError: cvat-sdk is not installed.
    """

    def __init__(
        self,
        model: str = "",
        weights: str = "",
        device: str = "auto",
        max_size: int = 480,
        tracker: AnyTracker[Any] | None = None,
    ) -> None:
        self._sdk, self._masks = _sdk()
        if tracker is None:
            from limpet.tracking.load import load

            tracker = load(model or None, weights=weights or None, device=device, max_size=max_size)
        self._tracker = tracker

    @property
    def spec(self) -> Any:
        """Which shapes can be tracked."""
        return self._sdk.TrackingFunctionSpec(supported_shape_types=["mask"])

    def preprocess_image(self, context: Any, image: Any) -> Image:
        """A PIL image as uint8 (H, W, 3) RGB, shared by all shapes of the frame."""
        pixels: Image = np.asarray(image.convert("RGB"))
        return pixels

    def init_tracking_state(self, context: Any, pp_image: Image, shape: Any) -> TrackedShape:
        """Begin to follow a mask of this frame. Raises MaskError if it is empty."""
        height, width = pp_image.shape[:2]
        mask = self._masks.decode_mask(shape.points, image_width=width, image_height=height)
        return TrackedShape(self._tracker.start(pp_image, mask.astype(np.uint8) * np.uint8(_OBJECT)))

    def track(self, context: Any, pp_image: Image, state: TrackedShape) -> Any:
        """The mask in the next frame, or None where the object is not seen."""
        mask, state.state = self._tracker.step(pp_image, state.state)
        found = mask == _OBJECT
        if not found.any():
            return None
        return self._sdk.TrackableShape(type="mask", points=self._masks.encode_mask(found))


def _sdk() -> tuple[Any, Any]:
    try:
        import cvat_sdk.auto_annotation
        import cvat_sdk.masks
    except ImportError as error:
        raise MissingExtraError("a tracking function for CVAT", "cvat", "cvat-sdk") from error
    return cvat_sdk.auto_annotation, cvat_sdk.masks


create = CvatTracker
"""By this name an agent finds the function."""
