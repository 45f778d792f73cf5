"""Timing the stages of a tracker changes neither its results nor the tracker itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import frames, mask_of, small_tracker

from limpet.bench.stages import StageTimer, seconds
from limpet.bench.torch_target import timed
from limpet.tracking.tracker import Tracker


def hooks_of(tracker: Tracker) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in tracker.model.modules())


@torch.inference_mode()
def test_a_timed_tracker_gives_the_same_masks_and_states() -> None:
    tracker, pictures, timer = small_tracker(layers=2, gap=1), frames(4), StageTimer(seconds)
    state = plain = tracker.start(pictures[0], mask_of(1, 2))
    with timed(tracker, timer) as timed_tracker:
        for picture in pictures[1:]:
            with timer.stage("rest"):
                mask, state = timed_tracker.step(picture, state)
            expected, plain = tracker.step(picture, plain)
            assert np.array_equal(mask, expected)
    assert state.confidence == plain.confidence and state.nbytes == plain.nbytes
    for ours, theirs in zip(state.groups, plain.groups, strict=True):
        for mine, other in zip(ours.long_term, theirs.long_term, strict=True):
            assert torch.equal(mine.key, other.key) and torch.equal(mine.value, other.value)
    assert {"encoder", "long-term", "short-term", "self", "projections", "decoder", "labels"} <= set(
        timer.take()
    )


def test_nothing_is_left_on_the_tracker() -> None:
    tracker, timer = small_tracker(), StageTimer(seconds)
    before = dict(vars(tracker)), dict(vars(tracker.model))
    with timed(tracker, timer):
        assert hooks_of(tracker) > 0
        assert (vars(tracker), vars(tracker.model)) == before
    assert hooks_of(tracker) == 0
    with timed(tracker, timer, split_propagation=False):
        assert hooks_of(tracker) == 0, "a compiled propagation is one stage"


def test_an_error_within_a_layer_ends_its_stage_and_removes_the_hooks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracker, pictures = small_tracker(), frames(2)
    state = tracker.start(pictures[0], mask_of(1))
    timer = StageTimer(seconds)

    def fail(*_: object, **__: object) -> None:
        raise ValueError("within")

    monkeypatch.setattr(tracker.model.layers[0].long_term, "forward", fail)
    with pytest.raises(ValueError, match="within"), timed(tracker, timer) as timed_tracker:
        timed_tracker.step(pictures[1], state)
    assert hooks_of(tracker) == 0 and timer._open == []
