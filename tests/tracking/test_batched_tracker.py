"""Videos that are stepped together come out as each by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import limpet
from limpet.core.calibration import Calibration
from limpet.core.errors import MaskError, ModelError, VideoError
from limpet.models import build_model
from limpet.models.base import Model
from limpet.registry import find
from limpet.tracking.augmented_tracker import Augmentation, AugmentedTracker
from limpet.tracking.batched_tracker import BatchedTracker
from limpet.tracking.memory_policies import Bounded, MemoryPolicy, Official, Ring
from limpet.tracking.tracker import Tracker

SIZE = (60, 84)
FRAMES = 5


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    return build_model(find("deaot-t").config())


def make_videos() -> tuple[np.ndarray, np.ndarray]:
    """Frames (T, B, H, W, 3) of two videos, and their first masks (B, H, W), with ids that leave gaps."""
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    other = noise[::-1, :, ::-1]
    frames = np.stack([np.stack([np.roll(noise, 2 * t, 1), np.roll(other, t, 0)]) for t in range(FRAMES)])
    masks = np.zeros((2, *SIZE), np.uint8)
    masks[0, 10:40, 10:40], masks[0, 20:50, 50:75] = 7, 3
    masks[1, 5:30, 30:60] = 9
    return frames, masks


@pytest.mark.parametrize("memory", ["first", Ring(gap=2, max_frames=2), Bounded(gap=1, max_frames=2)])
def test_each_video_as_if_alone(model: Model, memory: MemoryPolicy | str) -> None:
    frames, masks = make_videos()
    batch = BatchedTracker(model, SIZE, 2, precision="fp32", objects=4, memory=memory)
    batch.start(torch.from_numpy(frames[0]), torch.from_numpy(masks))
    alone = Tracker(model, precision="fp32", memory=memory)
    states = [alone.start(frames[0, video], masks[video]) for video in range(2)]
    for together in frames[1:]:
        found, confidence = batch.step(torch.from_numpy(together))
        for video in range(2):
            wanted, states[video] = alone.step(together[video], states[video])
            # bicubic enlarging differs in the last bits between the two libraries
            assert (found[video].numpy() != wanted).mean() < 2e-3
            by_id = states[video].confidence
            assert confidence[video, 1 : 1 + len(by_id)].tolist() == pytest.approx(
                [by_id[i] for i in sorted(by_id)], abs=2e-3
            )


def test_a_copy_of_the_state_is_a_point_to_go_back_to(model: Model) -> None:
    frames, masks = make_videos()
    batch = BatchedTracker(model, SIZE, 2, precision="fp32", objects=4)
    batch.start(torch.from_numpy(frames[0]), torch.from_numpy(masks))
    before = batch.state()
    first = [batch.step(torch.from_numpy(f))[0].clone() for f in frames[1:3]]
    batch.restore(before)
    again = [batch.step(torch.from_numpy(f))[0].clone() for f in frames[1:3]]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_bad_input(model: Model) -> None:
    frames, masks = make_videos()
    batch = BatchedTracker(model, SIZE, 2, precision="fp32", objects=1)
    with pytest.raises(ModelError, match="call start"):
        batch.step(torch.from_numpy(frames[0]))
    with pytest.raises(ModelError, match="start the videos again"):
        batch.restore({})
    with pytest.raises(VideoError, match=r"expected uint8 \(2, 60, 84, 3\)"):
        batch.start(torch.from_numpy(frames[0, :1]), torch.from_numpy(masks))
    with pytest.raises(MaskError, match="video 0 has 2 objects; expected 1 to 1"):
        batch.start(torch.from_numpy(frames[0]), torch.from_numpy(masks))
    with pytest.raises(ModelError, match="number of videos is 0; expected at least 1"):
        BatchedTracker(model, SIZE, 0)


def test_made_from_a_tracker_it_gives_the_masks_and_confidences_of_that_tracker(model: Model) -> None:
    frames, masks = make_videos()
    alone = Tracker(model, precision="fp32", max_size=48, calibration=Calibration(slope=2.0, offset=-1.0))
    batch = limpet.BatchedTracker.from_tracker(alone, SIZE, 2, objects=4)
    assert batch.config.network_size == alone.sizes.network_size(*SIZE)
    assert batch.config.calibration == alone.calibration
    batch.start(torch.from_numpy(frames[0]), torch.from_numpy(masks))
    assert batch.ids.tolist() == [[0, 3, 7, 0, 0], [0, 9, 0, 0, 0]]
    found, confidence = batch.step(torch.from_numpy(frames[1]))
    for video in range(2):
        wanted, state = alone.step(frames[1, video], alone.start(frames[0, video], masks[video]))
        assert (found[video].numpy() != wanted).mean() < 2e-3
        by_slot = [state.confidence.get(object_id, 0.0) for object_id in batch.ids[video, 1:].tolist()]
        assert confidence[video, 1:].tolist() == pytest.approx(by_slot, abs=5e-3)


@pytest.mark.parametrize(
    ("memory", "followed"),
    [
        (Bounded(gap=3, max_frames=4), ("bounded", 4, 3)),
        (Ring(), ("ring", 8, 5)),
        (Official(), ("ring", 8, 5)),
    ],
)
def test_the_policy_that_is_followed(
    model: Model, memory: MemoryPolicy, followed: tuple[str, int, int]
) -> None:
    config = BatchedTracker(model, SIZE, memory=memory).config
    assert (config.memory, config.ring, config.gap) == followed


def test_a_state_goes_with_its_ids(model: Model) -> None:
    frames, masks = make_videos()
    batch = BatchedTracker(model, SIZE, 2, precision="fp32", objects=4)
    batch.start(torch.from_numpy(frames[0]), torch.from_numpy(masks))
    before, ids = batch.state(), batch.ids
    expected = batch.step(torch.from_numpy(frames[1]))[0].clone()
    batch.start(
        torch.from_numpy(frames[0]), torch.from_numpy(np.where(masks == 7, 30, masks).astype(np.uint8))
    )
    assert not torch.equal(batch.ids, ids)
    batch.restore(before)
    assert torch.equal(batch.ids, ids)
    assert torch.equal(batch.step(torch.from_numpy(frames[1]))[0], expected)


def test_several_views_cannot_be_batched(model: Model) -> None:
    tracker = AugmentedTracker(model, augmentation=Augmentation(flip=True))
    with pytest.raises(ModelError, match="load the tracker without flip, scales and short_term_skip"):
        BatchedTracker.from_tracker(tracker, SIZE, 2)
