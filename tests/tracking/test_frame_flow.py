"""Flow along a tracked video: it is kept in states, used, and where it cannot be right that is told once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from networks import NARROW_DEVOS, lively_devos, mask_of, same_state, small_tracker

from limpet.core.errors import ModelError
from limpet.core.tracker_protocol import FlowName
from limpet.state import TrackerState
from limpet.tracking.augmented_tracker import Augmentation, AugmentedTracker
from limpet.tracking.batched_tracker import BatchedTracker
from limpet.tracking.tracker import Tracker

SIZE = (97, 129)
CONFIG = replace(NARROW_DEVOS, flow="dis")


def devos_tracker(flow: object = None, **settings: object) -> Tracker:
    return Tracker(lively_devos(CONFIG), precision="fp32", flow=flow, **settings)  # type: ignore[arg-type]


def scene(seed: int = 0) -> np.ndarray:
    """Coarse and fine noise, larger than a frame."""
    chance = np.random.default_rng(seed)
    octaves = [cv2.resize(chance.random((320 // c, 320 // c, 3)), (320, 320)) * c for c in (4, 10, 40)]
    total = np.sum(octaves, axis=0)
    return ((total - total.min()) / (total.max() - total.min()) * 255).astype(np.uint8)


def panning(count: int, seed: int = 0, start: int = 0) -> list[np.ndarray]:
    """A camera that moves 6 pixels a frame to the right."""
    picture = scene(seed)
    return [picture[: SIZE[0], start + 6 * n : start + 6 * n + SIZE[1]].copy() for n in range(count)]


def run(tracker: Tracker, frames: list[np.ndarray]) -> tuple[list[np.ndarray], TrackerState]:
    state, found = tracker.start(frames[0], mask_of(3, 9, height=SIZE[0], width=SIZE[1])), []
    for frame in frames[1:]:
        mask, state = tracker.step(frame, state)
        found.append(mask)
    return found, state


def test_flow_of_dis_is_used_and_its_frame_kept(tmp_path: Path) -> None:
    frames = panning(4)
    with_flow, state = run(devos_tracker(), frames)
    without, plain = run(devos_tracker("none"), frames)
    assert any((one != other).any() for one, other in zip(with_flow, without, strict=True))
    assert state.seen is not None and (state.seen.shape, state.seen.dtype) == ((48, 64), torch.uint8)
    assert plain.seen is None
    assert state.notices == plain.notices == ()
    state.save(tmp_path / "state")
    loaded = TrackerState.load(tmp_path / "state")
    assert loaded.seen is not None and torch.equal(loaded.seen, state.seen)
    nxt = panning(5)[-1]
    ahead, after = devos_tracker().step(nxt, state)
    again, resumed = devos_tracker().step(nxt, loaded)
    assert np.array_equal(ahead, again) and same_state(after, resumed)
    assert devos_tracker().facts(SIZE).as_dict()["flow"] == "dis"


def test_a_cut_is_told_once_and_tracking_goes_on(tmp_path: Path) -> None:
    frames = [*panning(2), *panning(2, seed=7), *panning(2, seed=8)]
    _, state = run(devos_tracker(), frames)
    assert state.flow_zeroed == 2
    (notice,) = state.notices
    assert notice.startswith(
        "2 frames tracked without optical flow; frame 2: the flow of dis leads back for "
    )
    state.save(tmp_path / "state")
    assert TrackerState.load(tmp_path / "state").notices == state.notices


def right(origin: np.ndarray, target: np.ndarray) -> np.ndarray:
    """What is seen moves 6 pixels to the left from each frame to the next; which is the later one it cannot tell."""
    forth = np.abs(origin[:, 6:].astype(int) - target[:, :-6]).mean() < 1
    return np.stack([np.full(SIZE, -6.0 if forth else 6.0), np.zeros(SIZE)])


def test_a_function_in_place_of_dis() -> None:
    frames = panning(3)
    tracker = devos_tracker(right)
    given, state = run(tracker, frames)
    assert state.notices == ()
    assert state.seen is not None and state.seen.shape == (*SIZE, 3)
    assert tracker.facts(SIZE).flow == "right"
    still, _ = run(devos_tracker("none"), frames)
    assert any((one != other).any() for one, other in zip(given, still, strict=True))


def broken(origin: np.ndarray, target: np.ndarray) -> np.ndarray:
    raise RuntimeError("out of memory")


def test_a_function_that_raises_is_named_once_and_nothing_stops() -> None:
    frames = panning(4)
    masks, state = run(devos_tracker(broken), frames)
    without, _ = run(devos_tracker("none"), frames)
    assert all(np.array_equal(one, other) for one, other in zip(masks, without, strict=True))
    assert state.notices == (
        "3 frames tracked without optical flow; frame 1: the flow function broken raised RuntimeError('out of memory')",
    )


def test_objects_are_added_corrected_and_undone() -> None:
    tracker, frames = devos_tracker(), panning(4)
    _, before = run(tracker, frames[:3])
    new = np.zeros(SIZE, np.uint8)
    new[60:90, 90:120], new[:20, :20] = 5, 3
    added = tracker.add(frames[2], new, before)
    assert added.object_ids == (3, 9, 5)
    assert added.seen is not None and torch.equal(added.seen, before.seen)  # type: ignore[arg-type]
    mask, _ = tracker.step(frames[3], added)
    undone, after = tracker.step(frames[3], before)
    again, same = tracker.step(frames[3], before)
    assert np.array_equal(undone, again) and same_state(after, same)
    assert (mask != undone).any()


@pytest.mark.parametrize("flow", ["dis", "match"])
def test_the_memory_of_a_long_video_stays_as_it_is(flow: FlowName) -> None:
    tracker, sizes = devos_tracker(flow), []
    frames = panning(14)
    state = tracker.start(frames[0], mask_of(3, height=SIZE[0], width=SIZE[1]))
    for number in range(34):
        _, state = tracker.step(frames[number % 14], state)
        sizes.append(state.nbytes)
    assert tracker.memory.name == "bounded" and tracker.memory.max_frames == 4
    assert len(set(sizes[24:])) == 1, "one size, once the memory is full"


def test_views_keep_frames_of_their_own() -> None:
    augmented = AugmentedTracker(
        lively_devos(CONFIG), augmentation=Augmentation(flip=True, scales=(1.0, 0.75)), precision="fp32"
    )
    _, state = run(augmented, [*panning(2), *panning(1, seed=7)])
    shapes = [view.seen.shape for view in state.views if view.seen is not None]
    assert shapes == [(48, 64), (48, 64), (32, 48), (32, 48)]
    assert state.seen is None
    assert "frame 2: the flow of dis" in state.notices[0]
    assert state.flow_zeroed == 1


def test_a_state_of_another_source_goes_on_and_says_so() -> None:
    frames = panning(3)
    _, state = run(devos_tracker("none"), frames[:2])
    _, after = devos_tracker("dis").step(frames[2], state)
    assert after.notices == (
        "1 frame tracked without optical flow; frame 2: the state did not keep the frame before for the flow of dis",
    )
    assert after.seen is not None


def test_models_without_flow_refuse_a_source() -> None:
    with pytest.raises(ModelError, match="reads no optical flow; leave out flow"):
        Tracker(small_tracker().model, flow="dis")
    assert small_tracker().facts(SIZE).flow is None


def test_graphs_of_fixed_size_need_a_source_inside_the_network() -> None:
    with pytest.raises(ModelError, match=r"found outside the network.*load the model with flow='match'"):
        BatchedTracker.from_tracker(devos_tracker("dis"), SIZE, videos=1)
    BatchedTracker.from_tracker(devos_tracker("match"), SIZE, videos=1)


def test_the_model_that_was_given_stays_as_it_was() -> None:
    mine = lively_devos(CONFIG)
    assert Tracker(mine, flow="none").config.flow == "none"  # type: ignore[arg-type]
    assert mine.config.flow == "dis"  # type: ignore[union-attr]
