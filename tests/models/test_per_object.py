"""Objects with logits of their own, memory of soft masks, an opaque identity, the image in the features, layers of
different token counts: what the tracker and the training make of them, with a made-up model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from model_tester import ModelTester
from networks import frames, mask_of
from per_object import PerObject, PerObjectConfig, lively_per_object

from limpet.export.program import make_programs
from limpet.models import Model
from limpet.models.fixed_size import FixedConfig
from limpet.tracking.tracker import Tracker
from limpet.training.rollout import RolloutConfig, rollout


class TestPerObject(ModelTester):
    config = PerObjectConfig()
    presets = ()

    @pytest.fixture
    def model(self) -> Model:
        return lively_per_object(self.config).eval()


@pytest.fixture(scope="module")
def model() -> PerObject:
    return lively_per_object(PerObjectConfig()).eval()


def test_layers_keep_different_numbers_of_tokens(model: PerObject) -> None:
    tracker = Tracker(model, precision="fp32", memory="official")
    images = frames(7)
    state = tracker.start(images[0], mask_of(1, 2))
    for image in images[1:]:
        _, state = tracker.step(image, state)
    (group,) = state.groups
    assert group.long_term.frames == 2
    assert [layer.key.shape[1] for layer in group.long_term] == [2 * 5 * 7, 2 * 3 * 4]
    corrected = tracker.add(images[6], mask_of(1), state)
    assert corrected.groups[0].long_term.frames == 3


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("memory", ["first", "official"])
def test_objects_in_one_group_are_the_objects_one_by_one(
    model: PerObject, memory: str, at_once: bool
) -> None:
    together = Tracker(model, precision="fp32", memory=memory)
    alone = Tracker(model, precision="fp32", memory=memory, objects_at_once=1, groups_at_once=at_once)
    first, *others = frames(8)
    images, ids = [first, *(first // 8 * 7 + other // 8 for other in others)], (4, 7, 200)
    states = [tracker.start(images[0], mask_of(*ids)) for tracker in (together, alone)]
    assert [len(state.groups) for state in states] == [1, 3]
    seen = set()
    for image in images[1:]:
        with torch.inference_mode():
            one, three = (
                tracker._follow(image, state)[1]
                for tracker, state in zip((together, alone), states, strict=True)
            )
        torch.testing.assert_close(torch.cat(one), torch.cat(three), atol=1e-4, rtol=1e-4)
        (mask, states[0]), (other, states[1]) = (
            tracker.step(image, state) for tracker, state in zip((together, alone), states, strict=True)
        )
        assert (mask != other).sum() <= 3
        seen |= set(np.unique(mask))
    assert len(seen) > 2, "several objects must be seen, else this proves little"


def test_a_new_object_begins_a_group(model: PerObject) -> None:
    tracker, images = Tracker(model, precision="fp32"), frames(3)
    _, state = tracker.step(images[1], tracker.start(images[0], mask_of(1, 2)))
    new = np.zeros((65, 97), np.uint8)
    new[50:60, 60:90] = 9
    state = tracker.add(images[1], new, state)
    assert [group.object_ids for group in state.groups] == [(1, 2), (9,)]
    _, state = tracker.step(images[2], state)
    assert set(state.confidence) == {1, 2, 9}


def test_memory_is_made_of_probabilities(model: PerObject, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []
    identify = PerObject.identify
    monkeypatch.setattr(
        PerObject, "identify", lambda self, planes: given.append(planes) or identify(self, planes)
    )
    tracker, images = Tracker(model, precision="fp32"), frames(2)
    tracker.step(images[1], tracker.start(images[0], mask_of(1, 2)))
    hard, soft = given
    assert set(hard.unique().tolist()) == {0.0, 1.0}
    assert len(soft.unique()) > 100
    torch.testing.assert_close(soft.sum(dim=1), torch.ones(1, 65, 97))


def test_training_sends_gradients_through_its_own_soft_masks(model: PerObject) -> None:
    images = torch.randn(4, 2, 3, 65, 97, generator=torch.Generator().manual_seed(0))
    mask = torch.from_numpy(mask_of(1, 2)).long()
    masks = mask.expand(4, 2, -1, -1)
    model.zero_grad()
    result = rollout(model, images, masks, [2, 2], RolloutConfig(own_predictions=True))
    result.loss.backward()
    assert result.masks.max() <= 2
    assert model.value.weight.grad is not None and model.value.weight.grad.abs().sum() > 0
    shuffled = torch.randperm(10).add(1)
    slots = torch.cat([torch.zeros(1, dtype=torch.long), shuffled]).expand(2, -1)
    again = rollout(model, images, masks, [2, 2], RolloutConfig(own_predictions=True), slots)
    torch.testing.assert_close(again.loss, result.loss)  # nothing is shuffled where there are no id slots


def test_its_graphs_are_captured_for_export(model: PerObject) -> None:
    size = (65, 97)
    programs = make_programs(model, FixedConfig(size, size, objects=2, ring=1, gap=1))
    state = programs.start.exported.module()(*programs.start.examples)
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    found = programs.step.exported.module()(image, *state)
    expected = programs.step.module(image, *state)
    for captured, plain in zip(found, expected, strict=True):
        torch.testing.assert_close(captured, plain, atol=1e-4, rtol=1e-4)
