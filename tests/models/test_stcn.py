"""STCN and the students of MobileVOS do what every model does, and what is their own: objects by themselves, the
previous frame read once, and the nearest tokens alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from model_tester import ModelTester
from networks import NARROW_STCN, NARROW_STUDENT, frames, lively_stcn, mask_of

from limpet.memory import LayerMemory, Memory
from limpet.models import Model, build_model
from limpet.models.stcn import STCN, KeyFrame, STCNConfig
from limpet.registry import find
from limpet.tracking.tracker import Tracker


class TestStudent(ModelTester):
    config = NARROW_STUDENT
    presets = ("mobilevos-resnet-18", "mobilevos-mobilenet-v2", "mobilevos-mobilenet-v2-small")

    @pytest.fixture
    def model(self) -> Model:
        return lively_stcn(self.config).eval()


class TestTeacher(ModelTester):
    config = NARROW_STCN
    presets = ("stcn",)

    @pytest.fixture
    def model(self) -> Model:
        return lively_stcn(self.config).eval()


MEMBERS = {"student": NARROW_STUDENT, "teacher": NARROW_STCN}
members = pytest.mark.parametrize("config", MEMBERS.values(), ids=MEMBERS)


@torch.no_grad()
def propagated(model: STCN, long_term: Memory, short_term: Memory) -> torch.Tensor:
    """What is read of both memories for a frame of noise."""
    image = torch.randn(1, 3, 65, 97, generator=torch.Generator().manual_seed(5))
    return model.propagate(model.encode(image), long_term, short_term)[0]


def random_memory(objects: int = 2, seed: int = 0) -> Memory:
    """Of one frame of 65 x 97 pixels."""
    chance = torch.Generator().manual_seed(seed)
    return Memory(
        (
            LayerMemory(
                torch.randn(1, 35, 16, generator=chance), torch.randn(1, 35, 16 * objects, generator=chance)
            ),
        )
    )


def test_the_previous_frame_is_read_once() -> None:
    model = lively_stcn(NARROW_STUDENT).eval()
    first, previous, other = (random_memory(seed=seed) for seed in range(3))
    apart = propagated(model, first, previous)
    torch.testing.assert_close(propagated(model, previous.append(first), previous), apart)
    assert not torch.allclose(propagated(model, other.append(first), previous), apart)
    torch.testing.assert_close(propagated(model, first, first), propagated(model, first.append(first), first))


def test_a_teacher_reads_its_long_term_memory_alone() -> None:
    model = lively_stcn(NARROW_STCN).eval()
    first, previous = random_memory(seed=0), random_memory(seed=1)
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        features = model.encode(image)
        cut = [memory.map(lambda t: t[:, :24]) for memory in (first, previous)]
        one, other = (model.propagate(features, cut[0], short)[0] for short in cut)
    assert torch.equal(one, other)


def test_only_the_nearest_tokens_are_read_unless_it_is_trained() -> None:
    model = lively_stcn(NARROW_STCN)
    frame = random_memory()[0].key
    assert (
        (model.eval().attention_map(_pending(frame), random_memory(seed=1), (5, 7)).weights > 0).sum(-1) == 6
    ).all()
    assert (model.train().attention_map(_pending(frame), random_memory(seed=1), (5, 7)).weights > 0).all()


@members
@pytest.mark.parametrize("at_once", [False, True])
def test_objects_in_one_group_are_the_objects_one_by_one(config: STCNConfig, at_once: bool) -> None:
    model = lively_stcn(config).eval()
    together = Tracker(model, precision="fp32")
    alone = Tracker(model, precision="fp32", objects_at_once=1, groups_at_once=at_once)
    first, *others = frames(5)
    states = [tracker.start(first, mask_of(4, 7, 200)) for tracker in (together, alone)]
    assert [len(state.groups) for state in states] == [1, 3]
    seen: set[int] = set()
    for image in others:
        with torch.inference_mode():
            one, three = (t._follow(image, s)[1] for t, s in zip((together, alone), states, strict=True))
        singles = torch.cat([plane[:, 1:] for plane in three], dim=1)
        torch.testing.assert_close(
            torch.cat([plane[:, 1:] for plane in one], dim=1), singles, atol=1e-3, rtol=1e-3
        )
        (mask, states[0]), (other, states[1]) = (
            t.step(image, s) for t, s in zip((together, alone), states, strict=True)
        )
        assert (mask != other).sum() <= 3
        seen |= set(np.unique(mask))
    assert len(seen) > 2, "several objects must be seen, else this proves little"


def test_the_state_of_one_object_stays_small() -> None:
    model = build_model(find("mobilevos-mobilenet-v2-small").config()).eval()
    tracker = Tracker(model, precision="fp32")
    first, second, third = frames(3, 480, 854)
    state = tracker.start(first, mask_of(1, height=480, width=854))
    sizes = []
    for frame in (second, third):
        _, state = tracker.step(frame, state)
        sizes.append(state.nbytes)
    assert sizes[0] == sizes[1] < 12e6


@pytest.mark.parametrize(("field", "value"), [("layers", 2), ("value_encoder", "swin-b")])
def test_what_it_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"one layer of memory|expected resnet-18 or mobilenet-v2"):
        replace(NARROW_STUDENT, **{field: value})  # type: ignore[arg-type]


def _pending(key: torch.Tensor) -> tuple[KeyFrame]:
    return (KeyFrame(key, torch.empty(0), None),)
