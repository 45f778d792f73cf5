"""The fixed-size graphs do what the tracker does, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import NARROW_STUDENT, lively_model, lively_stcn, mask_of, scenes, small_config
from torch import Tensor

from limpet.core.calibration import Calibration
from limpet.core.errors import ModelError
from limpet.models import build_model
from limpet.models.base import Features, Model
from limpet.models.fixed_size import FixedConfig, StartGraph, StepGraph, calibrated
from limpet.registry import find
from limpet.tracking.memory_policies import Bounded, Ring
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
def test_one_object_is_what_is_above_zero() -> None:
    """Where every object is by itself, a single one needs no background: its masks are the tracker's all the same."""
    tracker = Tracker(lively_stcn(NARROW_STUDENT), precision="fp32")
    frames, mask = make_clip()
    size = tracker.sizes.network_size(*SIZE)
    begin, step = (
        kind(tracker.model, FixedConfig(SIZE, size, objects=1)) for kind in (StartGraph, StepGraph)
    )
    one = (mask == 1).astype(np.uint8)
    expected = tracker.start(frames[0], one)
    state = begin(prepare_image(frames[0], size, tracker.device), torch.from_numpy(one)[None])
    for frame in frames[1:4]:
        wanted, expected = tracker.step(frame, expected)
        found, _, _, after = step(prepare_image(frame, size, tracker.device), state)
        state = {**state, **after}
        assert np.array_equal(found[0].numpy(), wanted) and 0 < wanted.mean() < 1
    nobody = {**state, "present": torch.tensor([[1.0, 0.0]])}
    assert not step(prepare_image(frames[4], size, tracker.device), nobody)[0].any(), (
        "a slot that is not in use"
    )


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


def hide_objects(model: Model) -> Tensor:
    """Make a model see nothing but background in those videos of a batch for which the flags (B,) are set."""
    decode, hidden = model.decode, torch.zeros(3)

    def decode_or_hide(tokens: Tensor, features: Features) -> Tensor:
        logits = decode(tokens, features)
        logits[:, 0] += 1e3 * hidden[: len(logits), None, None]
        return logits

    model.decode = decode_or_hide  # type: ignore[method-assign]
    return hidden


@torch.inference_mode()
def test_bounded_keeps_the_frames_that_the_tracker_keeps() -> None:
    """Three videos at once, of one to three objects, each with its own scenes; those of the second vanish twice."""
    count, ring, calibration = 18, 3, Calibration(0.9, -0.1)
    tracker = Tracker(
        lively_model(small_config()),
        precision="fp32",
        memory=Bounded(gap=1, max_frames=ring),
        calibration=calibration,
    )
    hidden = hide_objects(tracker.model)
    size = tracker.sizes.network_size(*SIZE)
    config = FixedConfig(SIZE, size, 4, 2, ring, 1, memory="bounded", calibration=calibration)
    start, step = StartGraph(tracker.model, config).eval(), StepGraph(tracker.model, config).eval()
    videos = [scenes(count, *SIZE, seed=seed) for seed in range(3)]
    masks = [mask_of(*range(1, n + 1), height=SIZE[0], width=SIZE[1]) for n in (1, 2, 3)]

    def images(index: int) -> Tensor:
        return torch.cat([prepare_image(video[index], size, tracker.device) for video in videos])

    state = start(images(0), torch.from_numpy(np.stack(masks)))
    expected = [tracker.start(video[0], mask) for video, mask in zip(videos, masks, strict=True)]
    history: list[list[list[int]]] = [[], [], []]
    for index in range(1, count):
        vanished = index in (4, 5, 9)
        hidden[:] = torch.tensor([0.0, float(vanished), 0.0])
        found, _, _, changed = step(images(index), state)
        state = {**state, **changed}
        for b, video in enumerate(videos):
            hidden[0] = float(vanished and b == 1)
            wanted, expected[b] = tracker.step(video[index], expected[b])
            assert (found[b].numpy() != wanted).sum() <= 2, "near ties, where a batch rounds in another way"
            taken = state["memory_mask"][b] > 0
            kept = {0} | {index - age for age in state["age"][b, 2:][taken[2:]].tolist()}
            assert sorted(kept, reverse=True) == [frame.index for frame in expected[b].groups[0].frames]
            history[b].append(sorted(kept))
    assert not {4, 5, 9} & {index for kept in history[1] for index in kept}
    ringlike = [[0, *range(max(1, k - ring + 1), k + 1)] for k in range(1, count)]
    assert len({str(each) for each in (*history, ringlike)}) == 4, "each in its own order, and no ring"


def test_confidences_are_those_of_single_numbers() -> None:
    soft_iou, calibration = torch.tensor([[0.0, 1e-5, 0.3, 0.99, 1.0]]), Calibration(0.7, 0.2)
    wanted = [calibration(each) for each in soft_iou[0].tolist()]
    assert calibrated(soft_iou, calibration)[0].tolist() == pytest.approx(wanted, abs=1e-6)
    assert calibrated(soft_iou, None) is soft_iou


def test_numbers_that_no_tracker_can_have() -> None:
    with pytest.raises(ModelError, match="no memory policy 'official'; the choices are: ring, bounded"):
        FixedConfig(SIZE, (65, 81), memory="official")
    with pytest.raises(ModelError, match="at least 1 object"):
        FixedConfig(SIZE, (65, 81), objects=0)
    model = make_tracker("deaot-t").model
    with pytest.raises(ModelError, match="10 slots for objects, 11 are asked for"):
        StepGraph(model, FixedConfig(SIZE, (65, 81), objects=11))
