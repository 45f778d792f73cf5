"""The fixed-size graphs do what the tracker does, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from limpet.core.errors import ModelError
from limpet.models import build_model
from limpet.models.fixed_size import FixedConfig, StartGraph, StepGraph
from limpet.registry import find
from limpet.tracking.memory_policies import Ring
from limpet.tracking.processing import prepare_image
from limpet.tracking.tracker import Tracker

SIZE = (60, 84)
FRAMES = 7


def make_tracker(name: str, ring: int = 0, gap: int = 2) -> Tracker:
    torch.manual_seed(0)
    memory = Ring(gap=gap, max_frames=ring) if ring else "first"
    return Tracker(build_model(find(name).config()), precision="fp32", memory=memory)


def make_clip() -> tuple[list[np.ndarray], np.ndarray]:
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    frames = [np.roll(noise, 2 * t, axis=1) for t in range(FRAMES)]
    mask = np.zeros(SIZE, np.uint8)
    mask[10:40, 10:40], mask[20:50, 50:75] = 1, 2
    return frames, mask


@pytest.mark.parametrize(
    ("name", "ring"), [("deaot-t", 0), ("deaot-s", 2), ("deaot-t-deformable", 2), ("aot-t", 2)]
)
@torch.inference_mode()
def test_graphs_equal_the_tracker(name: str, ring: int) -> None:
    tracker = make_tracker(name, ring)
    frames, mask = make_clip()
    size = tracker.sizes.network_size(*SIZE)
    config = FixedConfig(SIZE, size, objects=4, ring=ring, gap=2)
    begin, step = StartGraph(tracker.model, config).eval(), StepGraph(tracker.model, config).eval()

    expected = tracker.start(frames[0], mask)
    state = begin(prepare_image(frames[0], size, tracker.device), torch.from_numpy(mask)[None])
    shapes = {key: value.shape for key, value in state.items()}
    for frame in frames[1:]:
        wanted, expected = tracker.step(frame, expected)
        found, scores, sure, after = step(prepare_image(frame, size, tracker.device), state)
        state = {**state, **after}
        assert np.array_equal(found[0].numpy(), wanted)
        assert sure[0, 1:3].tolist() == pytest.approx(list(expected.confidence.values()), abs=1e-4)
        assert scores.shape[:2] == (1, 5) and (scores[:, 3:] < -1e9).all()
    assert {key: value.shape for key, value in state.items()} == shapes
    memory_mask = state.get("memory_mask", torch.ones(1, 1))
    assert memory_mask.sum() == len(expected.groups[0].frames)


@torch.inference_mode()
def test_videos_side_by_side_do_not_meet() -> None:
    tracker = make_tracker("deaot-t")
    frames, mask = make_clip()
    size = tracker.sizes.network_size(*SIZE)
    config = FixedConfig(SIZE, size, objects=3)
    begin, step = StartGraph(tracker.model, config).eval(), StepGraph(tracker.model, config).eval()
    images = [prepare_image(frames[t], size, tracker.device) for t in (0, 1, 3, 4)]
    one, other = torch.from_numpy(mask), torch.from_numpy(np.where(mask == 1, 1, 0).astype(np.uint8))
    together = begin(torch.cat([images[0], images[2]]), torch.stack([one, other]))
    alone = begin(images[2], other[None])
    _, scores, _, _ = step(torch.cat([images[1], images[3]]), together)
    _, wanted, _, _ = step(images[3], alone)
    torch.testing.assert_close(scores[1:], wanted, atol=1e-4, rtol=1e-4)


def test_numbers_that_no_tracker_can_have() -> None:
    with pytest.raises(ModelError, match="at least 1 object"):
        FixedConfig(SIZE, (65, 81), objects=0)
    model = make_tracker("deaot-t").model
    with pytest.raises(ModelError, match="10 slots for objects, 11 are asked for"):
        StepGraph(model, FixedConfig(SIZE, (65, 81), objects=11))
