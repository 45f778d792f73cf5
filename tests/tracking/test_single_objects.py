"""Models that decode every object by itself: all that can be done with a video, with a student of MobileVOS and with
STCN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from networks import NARROW_STCN, NARROW_STUDENT, frames, lively_stcn, mask_of, same_state

from limpet.core.calibration import Calibration
from limpet.models.stcn import STCNConfig
from limpet.state import TrackerState
from limpet.tracking.augmented_tracker import Augmentation, AugmentedTracker
from limpet.tracking.batched_tracker import BatchedTracker
from limpet.tracking.memory_policies import Ring
from limpet.tracking.step_attention import attention_of_step
from limpet.tracking.tracker import Tracker

SIZE = (64, 96)
MEMBERS = {"student": NARROW_STUDENT, "teacher": NARROW_STCN}


@pytest.fixture(params=MEMBERS)
def config(request: pytest.FixtureRequest) -> STCNConfig:
    return MEMBERS[request.param]


@pytest.fixture
def tracker(config: STCNConfig) -> Tracker:
    return Tracker(lively_stcn(config), precision="fp32", calibration=Calibration(0.9, -0.1))


def first_mask(*ids: int) -> np.ndarray:
    return mask_of(*ids, height=SIZE[0], width=SIZE[1])


def run(tracker: Tracker, state: TrackerState, seed: int, count: int = 2) -> TrackerState:
    for frame in frames(count, *SIZE, seed=seed):
        _, state = tracker.step(frame, state)
    return state


def test_objects_come_later_and_are_corrected_and_old_states_are_undo(tracker: Tracker) -> None:
    first, last = frames(2, *SIZE)
    begun = run(tracker, tracker.start(first, first_mask(1, 2)), seed=1)
    _, before = tracker.step(last, begun)
    change = np.zeros(SIZE, np.uint8)
    change[40:60, 60:90] = 9  # new
    change[0:20, 0:20] = 2  # corrected
    after = tracker.add(last, change, before)
    assert after.object_ids == (1, 2, 9)
    assert (after.mask_array()[change > 0] == change[change > 0]).all()
    assert [group.object_ids for group in after.groups] == [(1, 2), (9,)]
    assert after.confidence[2] == after.confidence[9] == 1
    later = run(tracker, after, seed=2)
    assert set(later.confidence) == {1, 2, 9}
    assert all(0 < value < 1 for value in later.confidence.values() if value), "calibrated"
    assert same_state(tracker.step(last, begun)[1], before), "undo"


def test_an_object_that_is_gone_for_ever_breaks_nothing(tracker: Tracker) -> None:
    first, second = frames(2, *SIZE)
    state = tracker.start(first, first_mask(1, 2))
    gone = state.mask_array()
    gone[gone == 2] = 1
    state = tracker.add(first, gone, state)  # object 2 has no pixel now
    state = run(tracker, state, seed=3, count=3)
    mask, state = tracker.step(second, state)
    assert set(np.unique(mask)) <= {0, 1, 2}
    assert set(state.confidence) == {1, 2}


def test_more_than_ten_objects(tracker: Tracker) -> None:
    state = run(tracker, tracker.start(frames(1, *SIZE)[0], first_mask(*range(3, 15))), seed=1, count=1)
    assert [len(group.object_ids) for group in state.groups] == [10, 2]
    assert len(state.confidence) == 12


def test_a_state_is_bounded_and_resumes(config: STCNConfig, tmp_path: Path) -> None:
    tracker = Tracker(lively_stcn(config), precision="fp32", memory=Ring(gap=1, max_frames=3))
    state = run(tracker, tracker.start(frames(1, *SIZE)[0], first_mask(1, 2)), seed=1, count=3)
    size = state.nbytes
    state = run(tracker, state, seed=2)
    assert state.nbytes == size
    state.save(tmp_path / "state")
    ahead, resumed = (run(tracker, each, seed=3) for each in (state, TrackerState.load(tmp_path / "state")))
    assert same_state(ahead, resumed)


def test_views_and_videos_side_by_side(config: STCNConfig) -> None:
    model = lively_stcn(config)
    first, second = frames(2, *SIZE)
    views = AugmentedTracker(model, augmentation=Augmentation(flip=True), precision="fp32")
    mask, state = views.step(second, views.start(first, first_mask(1, 2)))
    assert set(np.unique(mask)) <= {0, 1, 2} and len(state.views) == 2

    batch, alone = (
        BatchedTracker(model, SIZE, 2, precision="fp32", objects=2),
        Tracker(model, precision="fp32"),
    )
    masks = np.stack([first_mask(1, 2), first_mask(5)])
    batch.start(torch.from_numpy(np.stack([first, second])), torch.from_numpy(masks))
    found, _ = batch.step(torch.from_numpy(np.stack([second, first])))
    for video, (start, frame) in enumerate([(first, second), (second, first)]):
        expected, _ = alone.step(frame, alone.start(start, masks[video]))
        assert (found[video].cpu().numpy() != expected).sum() <= 3


def test_what_it_attends_to_can_be_seen(tracker: Tracker) -> None:
    first, second = frames(2, *SIZE)
    (record,) = attention_of_step(tracker, second, tracker.start(first, first_mask(1, 2)))
    assert record.object_ids == (1, 2) and record.key_frames == (0,)
