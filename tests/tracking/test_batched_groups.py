"""Groups that pass the network as one batch see what each would see by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import frames, lively_model, mask_of, tensors_of

from limpet.tracking.batched_groups import batches_of
from limpet.tracking.tracker import Tracker


@pytest.mark.parametrize("memory", ["first", "official"])
def test_groups_at_once_are_the_groups_one_by_one(memory: str) -> None:
    one, many = (Tracker(lively_model(), memory=memory, groups_at_once=at_once) for at_once in (False, True))
    images = frames(8)
    states = [tracker.start(images[0], mask_of(*range(1, 24))) for tracker in (one, many)]
    assert len(states[0].groups) == 3
    for index, image in enumerate(images[1:]):
        masks, states = map(
            list, zip(*(t.step(image, s) for t, s in zip((one, many), states, strict=True)), strict=True)
        )
        assert (masks[0] != masks[1]).mean() < 0.002  # but for near-ties
        if index == 3:  # a new group, whose memory is shorter than the others'
            new = mask_of(*range(100, 112))
            states = [t.add(image, new, s) for t, s in zip((one, many), states, strict=True)]
    assert states[0].object_ids == states[1].object_ids
    shapes = [[tensor.shape for tensor in tensors_of(state)] for state in states]
    assert shapes[0] == shapes[1]


def test_only_memories_of_one_length_go_together() -> None:
    tracker, images = Tracker(lively_model()), frames(2)
    _, state = tracker.step(images[1], tracker.start(images[0], mask_of(*range(1, 22))))
    assert batches_of(state.groups, False) == [(0,), (1,), (2,)]
    assert batches_of(state.groups, True) == [(0, 1, 2)]
    one = np.zeros((65, 97), np.uint8)
    one[np.isin(state.mask.numpy(), range(1, 11))] = 3
    grown = tracker.add(images[1], one, state)
    assert batches_of(grown.groups, True) == [(0,), (1, 2)]


def test_scores_are_equal_before_masks_are_chosen() -> None:
    images = frames(2)
    scores = []
    for at_once in (False, True):
        tracker = Tracker(lively_model(), groups_at_once=at_once)
        state = tracker.start(images[0], mask_of(*range(1, 24)))
        with torch.inference_mode():
            scores.append(tracker._follow(images[1], state)[1])
    for alone, together in zip(*scores, strict=True):
        torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-4)


def test_fewer_objects_at_once_are_more_groups_and_the_same_objects() -> None:
    frames_, mask = frames(2), mask_of(3, 5, 9)
    tracker = Tracker(lively_model(), objects_at_once=2)
    state = tracker.start(frames_[0], mask)
    assert [group.object_ids for group in state.groups] == [(3, 5), (9,)]
    assert tracker.facts((48, 64)).objects_at_once == 2
    found, _ = tracker.step(frames_[1], state)
    assert set(np.unique(found)) <= {0, 3, 5, 9}
