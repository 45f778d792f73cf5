"""Looking at attention: what the step read, and nothing of the step changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import (
    NARROW,
    NARROW_DEVOS,
    frames,
    lively_devos,
    lively_model,
    mask_of,
    same_state,
    small_config,
    small_tracker,
)
from tiny_encoder import TINY

from limpet.core.errors import ModelError
from limpet.models import AOTConfig
from limpet.models.deformable import DeformableConfig, OffsetNetwork
from limpet.tracking.step_attention import attention_of_step, motion_of_step
from limpet.tracking.tracker import Tracker


def deformable_tracker(gap: int | None = None) -> Tracker:
    """Its offsets are not at rest."""
    config = small_config(gap=gap)
    model = lively_model(replace(config, propagation=replace(NARROW, deformable=DeformableConfig())))
    for module in model.modules():
        if isinstance(module, OffsetNetwork):
            torch.nn.init.normal_(module.offsets.bias, std=0.5)  # type: ignore[arg-type]
    return Tracker(model, precision="fp32")


@pytest.mark.parametrize("kind", ["long-term", "self"])
@pytest.mark.parametrize("deformable", [False, True])
def test_masks_are_the_same_with_and_without_looking(deformable: bool, kind: str) -> None:
    tracker = deformable_tracker(gap=1) if deformable else small_tracker(gap=1)
    first, *rest = frames(3)
    plain = looked = tracker.start(first, mask_of(1, 2))
    for frame in rest:
        attention_of_step(tracker, frame, looked, kind=kind)  # type: ignore[arg-type]
        one, plain = tracker.step(frame, plain)
        other, looked = tracker.step(frame, looked)
        assert one.tobytes() == other.tobytes()
    assert same_state(plain, looked)


def test_nothing_is_retained() -> None:
    tracker = small_tracker()
    first, second = frames(2)
    state = tracker.start(first, mask_of(1))
    before = {name: set(vars(module)) for name, module in tracker.model.named_modules()}
    attention_of_step(tracker, second, state)
    assert before == {name: set(vars(module)) for name, module in tracker.model.named_modules()}
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in tracker.model.modules())


def test_keys_lie_in_the_remembered_frames_the_newest_first() -> None:
    tracker = small_tracker(layers=2, gap=2)
    first, *rest = frames(6)
    state = tracker.start(first, mask_of(1, 2))
    for frame in rest[:-1]:
        _, state = tracker.step(frame, state)
    (record,) = attention_of_step(tracker, rest[-1], state, layer=0)
    assert record.object_ids == (1, 2) and record.key_frames == (4, 2, 0)
    height, width = record.cells.size
    assert record.weights.shape == (height * width, 3, height * width)
    assert np.allclose(record.weights.sum(axis=(1, 2)), 1, atol=1e-5)
    assert record.reference_points is None and np.array_equal(
        record.sampling_locations[0], record.cells.centres()
    )


def test_a_frame_that_looks_at_itself() -> None:
    tracker = small_tracker()
    first, second = frames(2)
    (record,) = attention_of_step(tracker, second, tracker.start(first, mask_of(3)), kind="self")
    assert record.key_frames == (1,) and record.weights.shape[1] == 1


def test_the_weights_are_those_of_the_step() -> None:
    """The first frame once more: its queries are the keys that are remembered, of which the map is a softmax."""
    tracker = small_tracker()
    (first,) = frames(1)
    state = tracker.start(first, mask_of(1))
    (record,) = attention_of_step(tracker, first, state)
    key = state.groups[0].long_term[0].key[0]
    expected = torch.softmax(key @ key.T / key.shape[1] ** 0.5, dim=-1)
    assert np.allclose(record.weights[:, 0], expected.numpy(), atol=1e-5)


def test_a_deformable_model_tells_where_it_read() -> None:
    tracker = deformable_tracker()
    first, second = frames(2)
    (record,) = attention_of_step(tracker, second, tracker.start(first, mask_of(1)))
    assert record.reference_points is not None
    count = len(record.reference_points)
    assert record.sampling_locations.shape == (4, count, 2) and record.weights.shape[1:] == (1, count)
    assert (record.sampling_locations >= 0).all() and (
        record.sampling_locations <= np.array(record.cells.size) - 1
    ).all()
    assert np.abs(record.sampling_locations - record.reference_points).max() > 0.1


def test_each_group_of_objects_has_its_own() -> None:
    tracker = small_tracker()
    first, second = frames(2)
    ids = tuple(range(1, 13))
    records = attention_of_step(tracker, second, tracker.start(first, mask_of(*ids)))
    assert [each.object_ids for each in records] == [ids[:10], ids[10:]]


def test_what_is_not_there_is_told() -> None:
    tracker = small_tracker()
    first, second = frames(2)
    state = tracker.start(first, mask_of(1))
    with pytest.raises(ModelError, match="no layer 3"):
        attention_of_step(tracker, second, state, layer=3)
    with pytest.raises(ModelError, match="no 'short-term' attention map; it has long-term and self"):
        attention_of_step(tracker, second, state, kind="short-term")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="a single view"):
        attention_of_step(tracker, second, replace(state, views=(state,)))


def test_aot_has_the_long_term_map_alone() -> None:
    tracker = Tracker(lively_model(AOTConfig(encoder=TINY)), precision="fp32")
    first, second = frames(2)
    state = tracker.start(first, mask_of(1))
    (record,) = attention_of_step(tracker, second, state)
    assert np.allclose(record.weights.sum(axis=(1, 2)), 1, atol=1e-5)
    with pytest.raises(ModelError, match="it has long-term"):
        attention_of_step(tracker, second, state, kind="self")


def test_motion_is_that_of_the_step_and_changes_nothing() -> None:
    tracker = Tracker(lively_devos(replace(NARROW_DEVOS, flow="dis")), precision="fp32", flow=falling)
    first, second = frames(2)
    state = tracker.start(first, mask_of(1, 2))
    motion = motion_of_step(tracker, second, state)
    assert motion is not None and (motion.previous, motion.source, motion.problem) == (0, "falling", None)
    assert (
        motion.flow.shape == (2, 17, 25) and np.allclose(motion.flow[0], 2) and np.allclose(motion.flow[1], 0)
    )
    (places,) = motion.places
    assert places.object_ids == (1, 2) and places.locations.shape == (4, 35, 2, 9, 2)
    mask, after = tracker.step(second, state)
    again, after_too = tracker.step(second, tracker.start(first, mask_of(1, 2)))
    assert mask.tobytes() == again.tobytes() and same_state(after, after_too)


def falling(origin: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Everything moves: what was two pixels further down is here, and back."""
    way = 2.0 if np.array_equal(origin, frames(2)[1]) else -2.0
    return np.stack([np.zeros(origin.shape[:2]), np.full(origin.shape[:2], way)]).astype(np.float32)


def test_flow_of_no_use_is_told_and_models_without_motion_have_none() -> None:
    def broken(origin: np.ndarray, target: np.ndarray) -> np.ndarray:
        return np.full((2, *origin.shape[:2]), np.nan)

    first, second = frames(2)
    tracker = Tracker(lively_devos(replace(NARROW_DEVOS, flow="dis")), precision="fp32", flow=broken)
    motion = motion_of_step(tracker, second, tracker.start(first, mask_of(1)))
    assert motion is not None and motion.problem is not None and "not finite" in motion.problem
    plain = small_tracker()
    assert motion_of_step(plain, second, plain.start(first, mask_of(1))) is None


def test_keys_of_the_coarse_grid_are_every_other_cell() -> None:
    tracker = Tracker(lively_devos(), precision="fp32")
    first, second = frames(2)
    fine, coarse = (
        attention_of_step(tracker, second, tracker.start(first, mask_of(1)), layer=layer)[0]
        for layer in (0, 1)
    )
    assert (fine.key_stride, coarse.key_stride) == (1, 2)
    assert coarse.weights.shape == (35, 1, 12) and coarse.sampling_locations[0, -1].tolist() == [4, 6]
