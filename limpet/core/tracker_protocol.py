"""What following a whole video asks of a tracker and of its state. Needs no torch.

``Tracker`` is one such tracker; one that was exported and runs without torch is another
(limpet/runtime/exported_tracker.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from limpet.core.calibration import Calibration

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Mask = NDArray[np.uint8]  # (H, W) of ids


class State(Protocol):
    """What is known after a frame, as of ``limpet.TrackerState``."""

    @property
    def object_ids(self) -> tuple[int, ...]: ...
    @property
    def frame_index(self) -> int: ...
    @property
    def confidence(self) -> Mapping[int, float]: ...
    def mask_array(self) -> Mask: ...


AnyState = TypeVar("AnyState", bound=State)


class AnyTracker(Protocol[AnyState]):
    """What is asked of a tracker; ``start``, ``step`` and ``add`` are as of ``limpet.Tracker``.

    Attributes:
        calibration: what made confidences of soft IoUs; None where nothing did.
        resumable: whether its states can be written to a disk, so that a killed run can go on.
    """

    @property
    def calibration(self) -> Calibration | None: ...
    @property
    def resumable(self) -> bool: ...

    def start(self, frame: Image, mask: Mask, /) -> AnyState: ...
    def step(self, frame: Image, state: AnyState, /) -> tuple[Mask, AnyState]: ...
    def add(self, frame: Image, mask: Mask, state: AnyState, /) -> AnyState: ...

    def check_video(self, frame_size: tuple[int, int], object_ids: Collection[int]) -> None:
        """Raises LimpetError where frames of (H, W) or so many objects are more than the tracker can do."""

    def facts(self, frame_size: tuple[int, int]) -> dict[str, Any]:
        """All that results depend on besides video and masks, as plain data for the report."""
