"""The tracker: a pure step over an explicit state.

state       = tracker.start(frame, mask)
mask, state = tracker.step(frame, state)
state       = tracker.add(frame, mask, state)    # new objects, or a correction, in the frame of the last step
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from limpet.core.calibration import Calibration
from limpet.core.cpu import check_not_forked, keep_freed_memory, watch_for_forks
from limpet.core.errors import ModelError
from limpet.core.flow import FlowFunction
from limpet.core.groups import check_mask, extend_groups, object_ids, objects_per_pass, split_into_groups
from limpet.core.sizes import SizeRule, check_frame
from limpet.core.tracker_protocol import FlowName, TrackerFacts, check_state
from limpet.memory import Memory
from limpet.models.base import Features, Model
from limpet.models.inference import Precision, for_inference
from limpet.state import GroupState, StoredFrame, TrackerState
from limpet.tracking.batched_groups import BatchedGroups
from limpet.tracking.frame_flow import FrameFlow
from limpet.tracking.memory_policies import MB, MemoryPolicy, find_policy
from limpet.tracking.memory_update import (
    PendingMemory,
    apply_policy_to_states,
    checked_skip,
    given_ids,
    propagated_group,
    referred_group,
    stored_frame,
)
from limpet.tracking.processing import (
    draw_over,
    label_map,
    object_by_object,
    only_ids,
    prepare_image,
    probabilities,
    slot_planes,
    soft_ious,
    soft_planes,
)


class Tracker:
    """Tracks objects with one model. It holds no state, so that several videos can share one tracker.

    ``limpet.load`` makes one with trained weights.

    >>> import limpet
    >>> tracker = limpet.load("deaot-nano", device="cpu")
    >>> frame, mask = np.zeros((64, 96, 3), np.uint8), np.zeros((64, 96), np.uint8)
    >>> mask[16:48, 24:56] = 7
    >>> state = tracker.start(frame, mask)
    >>> mask, state = tracker.step(frame, state)
    >>> mask[8:16, 64:88] = 9
    >>> state = tracker.add(frame, mask, state)     # a new object, at any frame
    >>> state.object_ids
    (7, 9)

    Args:
        model: as trained; the tracker works on a copy of its own.
        device: where to compute.
        max_size: network input size: limit on the shorter side in pixels; masks always have the size of the frame.
        enlarge: smaller frames are enlarged for the network by at most this factor, never beyond ``max_size``.
        objects_at_once: how many objects share one pass of the network; None takes as many as the model holds.
        precision: "auto", "fp32" or "bf16", see ``for_inference``.
        memory: memory policy, which past frames are attended to: a policy, or the name of one ("first", "official",
            "ring", "bounded"); None takes ``default_policy``. A state may be continued with another policy.
        calibration: Platt scaling that makes confidences of soft IoUs; None leaves them as they are.
        flow: source of optical flow: "dis", "match", "none", or a function (docs/devos.md); None takes the model's.
        short_term_skip: how many frames before the next one its short-term memory is; see ``propagated_group``.
        groups_at_once: whether groups of objects pass the network as one batch; None does so on a GPU.
        name, weights_sha256: the model in reports.

    Raises:
        ModelError: a setting that no tracker can have.
    """

    resumable = True

    def __init__(
        self,
        model: Model,
        device: torch.device | str = "cpu",
        *,
        max_size: int | None = 480,
        enlarge: float = 1.0,
        objects_at_once: int | None = None,
        precision: Precision = "auto",
        memory: MemoryPolicy | str | None = None,
        calibration: Calibration | None = None,
        flow: FlowName | FlowFunction | None = None,
        short_term_skip: int = 1,
        groups_at_once: bool | None = None,
        name: str = "",
        weights_sha256: str = "",
    ) -> None:
        self.device = torch.device(device)
        if self.device.type == "cpu":
            keep_freed_memory()
            watch_for_forks(torch.get_num_threads())
        self.model = for_inference(model, self.device, precision)
        self.flow = FrameFlow(model.config, flow)
        self.config = self.model.config = self.flow.config
        self.memory = find_policy(memory, model.config)
        self.sizes = SizeRule(max_size, enlarge=enlarge, align_corners=model.config.align_corners)
        self.slots = objects_per_pass(model.config.max_objects, objects_at_once)
        self.calibration = calibration
        self.short_term_skip = checked_skip(short_term_skip, self.flow.name, model.config.reads_previous)
        self._groups_at_once = self.device.type == "cuda" if groups_at_once is None else groups_at_once
        self.name, self.weights_sha256 = name, weights_sha256

    @torch.inference_mode()
    def start(self, frame: NDArray[np.uint8], mask: NDArray[np.uint8]) -> TrackerState:
        """Start with a frame whose masks are known.

        Args:
            frame: uint8 (H, W, 3) RGB.
            mask: uint8 (H, W) of object ids 1..255, kept as given; 0 is background.

        Raises:
            VideoError, MaskError: wrong shape or dtype, or a mask of another size or without an object.
        """
        check_frame(frame)
        check_mask(mask, frame.shape[:2])
        begun = self._begin(frame, mask, self.sizes.network_size(*frame.shape[:2]))
        return apply_policy_to_states([begun], self.memory)[0]

    @torch.inference_mode()
    def step(self, frame: NDArray[np.uint8], state: TrackerState) -> tuple[NDArray[np.uint8], TrackerState]:
        """Track all objects into the next frame.

        Returns:
            The mask, uint8 (H, W) of ids at the size of the frame, and the state after the frame.

        Raises:
            VideoError: wrong shape or dtype, or a size other than that of the first frame.
            ModelError: the state is of another model, precision or device.
        """
        self._check(frame, state)
        followed, _ = self._follow(frame, state)
        (after,) = apply_policy_to_states([followed], self.memory)
        return after.mask_array(), after

    @torch.inference_mode()
    def add(self, frame: NDArray[np.uint8], mask: NDArray[np.uint8], state: TrackerState) -> TrackerState:
        """Add objects, or correct some, in the frame of the last step; the frame becomes a reference for them.

        Args:
            frame: the frame of the last ``step`` (or ``start``), uint8 (H, W, 3).
            mask: uint8 (H, W). An id that is not tracked yet becomes a new object; for a tracked id, this mask replaces
                the predicted one. Pixels of 0 keep the prediction.

        Returns:
            The state to continue from; its ``mask`` is the merged one.

        Raises:
            VideoError, MaskError, ModelError: as for ``start`` and ``step``.
        """
        self._check(frame, state)
        check_mask(mask, state.frame_size)
        return apply_policy_to_states([self._extend(frame, mask, state)], self.memory)[0]

    def check_video(self, frame_size: tuple[int, int], object_ids: Collection[int]) -> None:
        """Does nothing: the tracker takes frames of any size and any number of objects."""

    def facts(self, frame_size: tuple[int, int]) -> TrackerFacts:
        """What results on frames of (H, W) depend on besides the video and the masks; reports record it."""
        policy = self.memory
        return TrackerFacts(
            model=self.name,
            weights_sha256=self.weights_sha256,
            precision=str(self.model.dtype).removeprefix("torch."),
            network_size=self.sizes.network_size(*frame_size),
            augmentation=None,
            calibration=self.calibration,
            memory=policy.name,
            memory_gap=policy.gap,
            memory_max_frames=policy.max_frames,
            memory_budget_mb=policy.max_bytes and policy.max_bytes / MB,
            objects_at_once=None if self.slots == self.config.max_objects else self.slots,
            device=self.device.type,
            flow=self.flow.name,
            short_term_skip=self.short_term_skip if self.short_term_skip > 1 else None,
        )

    def _begin(
        self, frame: NDArray[np.uint8], mask: NDArray[np.uint8], size: tuple[int, int]
    ) -> PendingMemory:
        """``start`` with a network input of ``size``, before the memory policy is applied."""
        groups = split_into_groups(object_ids(mask), self.slots)
        labels = self._on_device(mask)
        features = self._encode(frame, size)
        states = [referred_group(ids, self._refer(features, labels, ids, size), 0, None) for ids in groups]
        offers = [
            stored_frame(0, ids, [1.0], group.short_term) for ids, group in zip(groups, states, strict=True)
        ]
        confidence = {i: 1.0 for ids in groups for i in ids}
        begun = TrackerState(tuple(states), 0, labels, size, confidence)
        begun = replace(begun, model=self.name, weights_sha256=self.weights_sha256)
        return PendingMemory(self.flow.begin(begun, frame), offers)

    def _follow(self, frame: NDArray[np.uint8], state: TrackerState) -> tuple[PendingMemory, list[Tensor]]:
        """``step`` before the memory policy is applied, and the logits of each group (1, N+1, H/4, W/4)."""
        features, state = self.flow.follow(self._encode(frame, state.network_size), frame, state)
        seen = BatchedGroups(self.model, features, state.groups, self._groups_at_once)
        logits = seen.logits
        groups_of_ids = [group.object_ids for group in state.groups]
        ids = groups_of_ids
        if self.config.independent_objects:
            logits, ids = object_by_object(logits, groups_of_ids)
        labels = self._label_map(logits, ids, state.frame_size)
        index, confidence = state.frame_index + 1, self._confidences(logits, ids)
        memories = seen.remember(self._identities(logits, labels, groups_of_ids, state.network_size))
        groups, offers = [], []
        for group, memory in zip(state.groups, memories, strict=True):
            renewed, offer = propagated_group(
                group, memory, index, self.memory.gap, confidence, self.short_term_skip
            )
            groups.append(renewed)
            offers.append(offer)
        after = replace(state, groups=tuple(groups), frame_index=index, mask=labels, confidence=confidence)
        return PendingMemory(after, offers), logits

    def _extend(
        self, frame: NDArray[np.uint8], mask: NDArray[np.uint8], state: TrackerState
    ) -> PendingMemory:
        """``add`` before the memory policy is applied."""
        given, named = self._on_device(mask), object_ids(mask)
        labels = draw_over(state.mask, given)
        new = [i for i in named if i not in state.object_ids]
        groups = extend_groups(
            [group.object_ids for group in state.groups], new, self.slots, self.config.independent_objects
        )
        features = self._encode(frame, state.network_size)
        confidence = state.confidence | dict.fromkeys(named, 1.0)
        states: list[GroupState] = []
        offers: list[StoredFrame | None] = []
        for position, ids in enumerate(groups):
            earlier = state.groups[position] if position < len(state.groups) else None
            is_named = bool(set(ids) & set(named))
            lost_none = earlier is not None and torch.equal(only_ids(labels, ids), only_ids(state.mask, ids))
            if earlier is not None and not is_named and lost_none:
                states.append(earlier)
                offers.append(None)
                continue
            memory = self._refer(features, labels, ids, state.network_size)
            after = referred_group(ids, memory, state.frame_index, earlier)
            if earlier is not None and not is_named:
                # other objects took pixels of it: only the short-term memory changes
                states.append(replace(earlier, short_term=after.short_term, newer=()))
                offers.append(None)
                continue
            drawn = sorted(set(ids) & {*named, *given_ids(earlier, state.frame_index)})
            values = [confidence[i] for i in ids]
            states.append(after)
            offers.append(stored_frame(state.frame_index, drawn, values, after.short_term))
        return PendingMemory(replace(state, groups=tuple(states), mask=labels, confidence=confidence), offers)

    def _on_device(self, mask: NDArray[np.uint8]) -> Tensor:
        """A copy, so that later changes to the array or the tensor do not affect the other."""
        return torch.from_numpy(np.array(mask)).to(self.device)

    def _encode(self, frame: NDArray[np.uint8], size: tuple[int, int]) -> Features:
        check_not_forked(torch.get_num_threads())
        image = prepare_image(frame, size, self.device)
        return self.model.encode(image.to(self.model.dtype))

    def _identify(self, labels: Tensor, ids: Sequence[int], size: tuple[int, int]) -> Tensor:
        planes = slot_planes(labels, ids, size, self.model.dtype, self.config.independent_objects)
        return self.model.identify(planes)

    def _identities(
        self,
        logits: Sequence[Tensor],
        labels: Tensor,
        groups: Sequence[tuple[int, ...]],
        size: tuple[int, int],
    ) -> list[Tensor]:
        """The identities of each group's objects in a propagated frame, from which its memory is made."""
        if not self.config.soft_memory:
            return [self._identify(labels, ids, size) for ids in groups]
        independent = self.config.independent_objects
        merged = probabilities(logits, size, self.config.align_corners, independent)
        planes = soft_planes(merged, [len(ids) for ids in groups], self.model.dtype, independent)
        return [self.model.identify(each) for each in planes]

    def _refer(self, features: Features, labels: Tensor, ids: Sequence[int], size: tuple[int, int]) -> Memory:
        """The memory of one group in a frame whose masks are known."""
        return self.model.refer(features, self._identify(labels, ids, size))[2]

    def _label_map(
        self, logits: Sequence[Tensor], ids: Sequence[Sequence[int]], size: tuple[int, int]
    ) -> Tensor:
        return label_map(logits, ids, size, self.config.align_corners)

    def _confidences(self, logits: Sequence[Tensor], ids: Sequence[Sequence[int]]) -> dict[int, float]:
        found = soft_ious(logits, ids)
        return found if self.calibration is None else {i: self.calibration(x) for i, x in found.items()}

    def _check(self, frame: NDArray[np.uint8], state: TrackerState) -> None:
        check_frame(frame)
        check_state(state, TrackerState, self.name, self.weights_sha256)
        state.check_frame_size(frame.shape[0], frame.shape[1])
        if state.views:
            raise ModelError(
                f"the state has {len(state.views)} views, but the tracker has no augmentation; step it with the "
                f"flip and scales that made it"
            )
        state.check_fits(self.config.layers, self.model.dtype, self.device)
