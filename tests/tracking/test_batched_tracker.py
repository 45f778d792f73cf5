"""Videos that are stepped together come out as each by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from limpet.core.errors import MaskError, ModelError, VideoError
from limpet.models import build_model
from limpet.models.base import Model
from limpet.registry import find
from limpet.tracking.batched_tracker import BatchedTracker
from limpet.tracking.memory_policies import Ring
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


@pytest.mark.parametrize("ring", [0, 2])
def test_each_video_as_if_alone(model: Model, ring: int) -> None:
    frames, masks = make_videos()
    streams = BatchedTracker(model, SIZE, 2, precision="fp32", objects=4, ring=ring)
    streams.start(torch.from_numpy(frames[0]), torch.from_numpy(masks))
    memory = Ring(gap=5, max_frames=ring) if ring else "first"
    alone = Tracker(model, precision="fp32", memory=memory)
    states = [alone.start(frames[0, video], masks[video]) for video in range(2)]
    for together in frames[1:]:
        found, sure = streams.step(torch.from_numpy(together))
        for video in range(2):
            wanted, states[video] = alone.step(together[video], states[video])
            # bicubic enlarging differs in the last bits between the two libraries
            assert (found[video].numpy() != wanted).mean() < 2e-3
            by_id = states[video].confidence
            assert sure[video, 1 : 1 + len(by_id)].tolist() == pytest.approx(
                [by_id[i] for i in sorted(by_id)], abs=2e-3
            )


def test_a_copy_of_the_state_is_a_point_to_go_back_to(model: Model) -> None:
    frames, masks = make_videos()
    streams = BatchedTracker(model, SIZE, 2, precision="fp32", objects=4)
    streams.start(torch.from_numpy(frames[0]), torch.from_numpy(masks))
    before = streams.state()
    first = [streams.step(torch.from_numpy(f))[0].clone() for f in frames[1:3]]
    streams.restore(before)
    again = [streams.step(torch.from_numpy(f))[0].clone() for f in frames[1:3]]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_bad_input(model: Model) -> None:
    frames, masks = make_videos()
    streams = BatchedTracker(model, SIZE, 2, precision="fp32", objects=1)
    with pytest.raises(ModelError, match="call start"):
        streams.step(torch.from_numpy(frames[0]))
    with pytest.raises(ModelError, match="start the videos again"):
        streams.restore({})
    with pytest.raises(VideoError, match=r"expected uint8 \(2, 60, 84, 3\)"):
        streams.start(torch.from_numpy(frames[0, :1]), torch.from_numpy(masks))
    with pytest.raises(MaskError, match="video 0 has 2 objects; expected 1 to 1"):
        streams.start(torch.from_numpy(frames[0]), torch.from_numpy(masks))
    with pytest.raises(ModelError, match="at least 1"):
        BatchedTracker(model, SIZE, 0)
