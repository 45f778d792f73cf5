"""Test-time augmentation: every frame is tracked in several views, mirrored and at other scales.

As in the official evaluator, each view is tracked by itself, from its own masks and with a state of its own. The result
is the id with the largest mean probability over the views; this merged mask is not fed back. Only when a person gives
masks do all views get the same masks: the merged ones with those given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from limpet.core.errors import ModelError, number_text
from limpet.core.groups import check_mask
from limpet.core.sizes import STRIDE, check_frame
from limpet.core.tracker_protocol import TrackerFacts, check_state
from limpet.models.base import Model
from limpet.state import TrackerState
from limpet.tracking.memory_update import PendingMemory, apply_policy_to_states
from limpet.tracking.processing import probabilities
from limpet.tracking.tracker import Tracker

LARGEST_SCALE = 4.0  # time and memory grow at least with its square
MAX_SHORT = 624  # limit of the shorter side before scaling in the official code, if there are several scales

Frame = TypeVar("Frame", NDArray[np.uint8], Tensor)


class View(NamedTuple):
    """One view of the frames: at ``scale`` times the usual network input size, ``mirrored`` left to right or not."""

    scale: float
    mirrored: bool


@dataclass(frozen=True)
class Augmentation:
    """The views of a tracker.

    flip: each scale also has a mirrored view.
    scales: factors of the network input size; 1 is that of a plain tracker.

    Raises:
        ModelError: there is no scale, a scale is given twice, or one is not in 0 to ``LARGEST_SCALE``.
    """

    flip: bool = False
    scales: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not self.scales:
            raise ModelError("scales is empty; expected at least one, for instance 1.0")
        for scale in self.scales:
            if not isinstance(scale, int | float) or not 0 < scale <= LARGEST_SCALE:
                raise ModelError(
                    f"scale is {number_text(scale)}; expected a number above 0 and at most {LARGEST_SCALE:g}"
                )
            if self.scales.count(scale) > 1:
                raise ModelError(f"scale {scale:g} is given twice; give each scale once")

    @property
    def views(self) -> tuple[View, ...]:
        """For each scale the plain view, and then the mirrored one."""
        sides = (False, True) if self.flip else (False,)
        return tuple(View(scale, mirrored) for scale in self.scales for mirrored in sides)

    @property
    def is_plain(self) -> bool:
        """Whether a tracker without augmentation does the same."""
        return not self.flip and self.scales == (1.0,)

    def __str__(self) -> str:
        """``flip, scales 1 1.3``."""
        scales = "" if self.scales == (1.0,) else "scales " + " ".join(f"{scale:g}" for scale in self.scales)
        return ", ".join(filter(None, ("flip" if self.flip else "", scales)))


class AugmentedTracker(Tracker):
    """A tracker with several views, which can be used wherever a ``Tracker`` can.

    Its states hold one state per view. The confidence of an object is the mean over the views, so that it is lower if a
    view has lost the object. A byte budget holds for all views together.

    Args:
        model: see ``Tracker``, also for options that are not listed here.
        augmentation: the views.
        max_size: limit on the shorter side of the network input before scaling, in pixels. With several scales it is
            at most 624, as in the official evaluator.
    """

    def __init__(
        self,
        model: Model,
        device: torch.device | str = "cpu",
        *,
        augmentation: Augmentation,
        max_size: int | None = 480,
        name: str = "",
        **options: Any,
    ) -> None:
        if len(augmentation.scales) > 1:
            max_size = MAX_SHORT if max_size is None else min(max_size, MAX_SHORT)
        name = f"{name} ({augmentation})" if name and not augmentation.is_plain else name
        super().__init__(model, device, max_size=max_size, name=name, **options)
        self.augmentation = augmentation

    def facts(self, frame_size: tuple[int, int]) -> TrackerFacts:
        """See ``Tracker.facts``; the views are among them."""
        return replace(super().facts(frame_size), augmentation=str(self.augmentation))

    @torch.inference_mode()
    def start(self, frame: NDArray[np.uint8], mask: NDArray[np.uint8]) -> TrackerState:
        """See ``Tracker.start``. Also raises ModelError if a scale leaves less than 16 pixels of the frame."""
        check_frame(frame)
        check_mask(mask, frame.shape[:2])
        sizes = [self._view_size(view.scale, frame.shape[:2]) for view in self.augmentation.views]
        begun = []
        for view, size in zip(self.augmentation.views, sizes, strict=True):
            state, offered = self._begin(_turned(frame, view.mirrored), _turned(mask, view.mirrored), size)
            begun.append(PendingMemory(replace(state, mirrored=view.mirrored), offered))
        return self._together(begun, self._on_device(mask))

    @torch.inference_mode()
    def step(self, frame: NDArray[np.uint8], state: TrackerState) -> tuple[NDArray[np.uint8], TrackerState]:
        """See ``Tracker.step``; the mask is merged from all views."""
        self._check(frame, state)
        followed, total = [], torch.zeros(())
        for view in state.views:
            after, logits = self._follow(_turned(frame, view.mirrored), view)
            config = self.config
            planes = probabilities(logits, state.frame_size, config.align_corners, config.independent_objects)
            total = _turned(planes, view.mirrored) + total.to(planes.device)
            followed.append(after)
        ids = torch.tensor([0, *state.object_ids], dtype=torch.uint8, device=total.device)
        merged = self._together(
            followed, ids[total.argmax(dim=0)]
        )  # the sum and the mean have the same argmax
        return merged.mask_array(), merged

    @torch.inference_mode()
    def add(self, frame: NDArray[np.uint8], mask: NDArray[np.uint8], state: TrackerState) -> TrackerState:
        """See ``Tracker.add``; pixels of 0 keep the merged prediction in every view."""
        self._check(frame, state)
        check_mask(mask, state.frame_size)
        extended = []
        for view in state.views:
            known = replace(view, mask=_turned(state.mask, view.mirrored))
            extended.append(self._extend(_turned(frame, view.mirrored), _turned(mask, view.mirrored), known))
        first = extended[0].state
        return self._together(extended, _turned(first.mask, first.mirrored).clone())

    def _together(self, pending: Sequence[PendingMemory], labels: Tensor) -> TrackerState:
        """The state of all views; ``labels`` (H, W) is the merged mask."""
        views = apply_policy_to_states(pending, self.memory, more_bytes=labels.nbytes)
        first = views[0]
        confidence = {i: sum(view.confidence[i] for view in views) / len(views) for i in first.object_ids}
        return replace(first, groups=(), mask=labels, confidence=confidence, views=tuple(views), seen=None)

    def _view_size(self, scale: float, frame_size: tuple[int, int]) -> tuple[int, int]:
        """The network input size of a view. Raises ModelError if the scale leaves too few pixels."""
        plain = self.sizes.network_size(*frame_size)
        if scale * min(plain) < STRIDE:
            raise ModelError(
                f"scale {scale:g} leaves {scale * plain[0]:.0f}x{scale * plain[1]:.0f} pixels of the network input of "
                f"{plain[0]}x{plain[1]}, but the network needs {STRIDE}; use a larger scale"
            )
        return replace(self.sizes, scale=scale).network_size(*frame_size)

    def _check(self, frame: NDArray[np.uint8], state: TrackerState) -> None:
        expected = [view.mirrored for view in self.augmentation.views]
        check_state(state, TrackerState)
        if [view.mirrored for view in state.views] != expected:
            raise ModelError(
                f"the state has {len(state.views)} views, {sum(v.mirrored for v in state.views)} of them mirrored, "
                f"but the tracker has {len(expected)} and {sum(expected)}; step it with the flip and scales that "
                f"made it"
            )
        for view in state.views:
            super()._check(frame, view)


def _turned(picture: Frame, mirrored: bool) -> Frame:
    """A frame (H, W, 3), a mask (H, W) or planes (C, H, W), mirrored left to right if ``mirrored``."""
    if not mirrored:
        return picture
    if isinstance(picture, Tensor):
        return picture.flip(-1)
    return picture[:, ::-1]
