"""What a tracker's model attends to in one step.

    records     = attention_of_step(tracker, frame, state)       # only for frames whose attention is wanted
    motion      = motion_of_step(tracker, frame, state)          # of models that follow motion
    mask, state = tracker.step(frame, state)

Nothing is retained in the network, and ``step`` is not involved: the frame is encoded and propagated once more, and
the maps are computed from that. A step without attention maps costs nothing extra.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from limpet.attention_map import AttentionMap, MapKind
from limpet.core.errors import ModelError
from limpet.models.base import Features
from limpet.state import TrackerState
from limpet.tracking.processing import prepare_image
from limpet.tracking.tracker import Tracker
from limpet.visual.attention.attention_record import AttentionRecord, CellGrid
from limpet.visual.attention.motion_record import MotionRecord, SampledPlaces


@torch.inference_mode()
def attention_of_step(
    tracker: Tracker,
    frame: NDArray[np.uint8],
    state: TrackerState,
    layer: int = -1,
    kind: MapKind = "long-term",
) -> tuple[AttentionRecord, ...]:
    """The attention in the step from ``state`` to ``frame``, one record per group of objects.

    Args:
        frame: uint8 (H, W, 3) RGB, of the size that the state was made for.
        state: as given to ``step``; it stays as it is.
        layer: counted from 0; -1 is the last.
        kind: "long-term" (keys in the frames in memory) or "self" (keys in the frame itself).

    Raises:
        ModelError: the model has no such layer or kind, or the state has several views.
    """
    model, (features, _) = tracker.model, _encode(tracker, frame, state)
    cells = CellGrid(features.size, model.config.align_corners)
    found = []
    for group in state.groups:
        _, pending = model.propagate(features, group.long_term, group.short_term)
        seen = model.attention_map(pending, group.long_term, features.size, layer, kind)
        own = kind == "self"
        key_frames = [state.frame_index + 1] if own else [stored.index for stored in group.frames]
        found.append(_as_arrays(seen, group.object_ids, cells, key_frames))
    return tuple(found)


@torch.inference_mode()
def motion_of_step(
    tracker: Tracker, frame: NDArray[np.uint8], state: TrackerState, layer: int = -1
) -> MotionRecord | None:
    """The flow in the step from ``state`` to ``frame``, and where the cells read the previous frame.

    Args:
        frame, state: as for ``attention_of_step``.
        layer: counted from 0; the block that it is in counts.

    Returns:
        None where the model does not follow motion.

    Raises:
        ModelError: the model has no such layer, or the state has several views.
    """
    model, (features, after) = tracker.model, _encode(tracker, frame, state)
    places, flow = [], None
    for group in state.groups:
        _, pending = model.propagate(features, group.long_term, group.short_term)
        seen = model.sampling_map(features, pending, group.short_term, layer)
        if seen is None:
            return None
        flow = seen.flow if flow is None else flow
        if seen.locations is not None and seen.weights is not None:
            arrays = (tensor[0].float().cpu().numpy() for tensor in (seen.locations, seen.weights))
            places.append(SampledPlaces(group.object_ids, *arrays))
    if flow is None:
        return None
    problem = after.flow_problem if after.flow_zeroed > state.flow_zeroed else None
    return MotionRecord(
        CellGrid(features.size, model.config.align_corners), state.frame_index, tracker.flow.name or "", problem,
        flow[0, :2].cpu().numpy(), state.network_size, tuple(places),
    )  # fmt: skip


def _encode(tracker: Tracker, frame: NDArray[np.uint8], state: TrackerState) -> tuple[Features, TrackerState]:
    """The features of the frame with flow, and the state with what is kept of the frame for the next flow."""
    if state.views:
        raise ModelError(
            "attention maps need a state with a single view; load the tracker without flip and scales"
        )
    image = prepare_image(frame, state.network_size, tracker.device).to(tracker.model.dtype)
    return tracker.flow.follow(tracker.model.encode(image), frame, state)


def _as_arrays(
    seen: AttentionMap, ids: tuple[int, ...], cells: CellGrid, key_frames: Sequence[int]
) -> AttentionRecord:
    weights = seen.weights[0].float().cpu().numpy()  # h*w K
    weights = weights.reshape(len(weights), len(key_frames), -1)
    if seen.sampling_locations is None:
        stride = max(-(-side // keys) for side, keys in zip(cells.size, seen.grid, strict=True))
        keys = CellGrid(seen.grid).centres()[None] * stride
        return AttentionRecord(ids, cells, tuple(key_frames), weights, keys, None, stride)
    last = np.array(cells.size, np.float32) - 1
    places = seen.sampling_locations[0].float().cpu().numpy().clip(0, last)  # off the map its border is read
    points = seen.reference_points
    moved_from = None if points is None else points.float().cpu().numpy().clip(0, last)
    return AttentionRecord(ids, cells, tuple(key_frames), weights, places, moved_from)
