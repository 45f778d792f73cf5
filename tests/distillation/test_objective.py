"""A student learns from its teacher's predictions alone, and each term of the loss is in the sum."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from networks import NARROW, lively_model, small_config
from tiny_encoder import TINY
from torch import Tensor

from limpet.distillation.config import DistillationConfig, DistillationLossConfig, MapChoice
from limpet.distillation.objective import OnlineDistillation, distillation_rollout
from limpet.distillation.teacher_targets import teacher_targets
from limpet.models import DeAOTConfig, Features, Model, build_model
from limpet.models.deformable import DeformableConfig
from limpet.training.rollout import RolloutConfig

COUNTS = [2, 1]
SLOTS = torch.stack([torch.tensor([0, 3, 1, 2, *range(4, 11)]), torch.arange(11)])


@pytest.fixture
def teacher() -> Model:
    return lively_model(small_config(layers=2, gap=5), seed=1).eval().requires_grad_(False)


@pytest.fixture
def student() -> Model:
    config = DeAOTConfig(encoder=TINY, propagation=replace(NARROW, deformable=DeformableConfig()))
    return lively_model(config, seed=2)


@pytest.fixture
def clips() -> tuple[Tensor, Tensor]:
    """Images (4, 2, 3, 65, 65) and masks (4, 2, 65, 65) of two clips with 2 objects and 1."""
    torch.manual_seed(3)
    masks = torch.zeros(4, 2, 65, 65, dtype=torch.long)
    masks[:, :, :30, :30] = 1
    masks[:, 0, 35:, 30:] = 2
    return torch.randn(4, 2, 3, 65, 65), masks


def online(student: Model, teacher: Model, **changes: Any) -> OnlineDistillation:
    return OnlineDistillation(student.eval(), teacher, DistillationConfig(**changes))


@pytest.mark.parametrize("own_predictions", [False, True])
def test_no_label_but_the_first_mask_reaches_the_loss(
    student: Model, teacher: Model, clips: tuple[Tensor, Tensor], own_predictions: bool
) -> None:
    images, masks = clips
    settings = RolloutConfig(own_predictions=own_predictions, reference_weight=0.5)
    garbage = masks.clone()
    garbage[1:] = torch.randint(0, 3, garbage[1:].shape)
    results = [online(student, teacher)(images, m, COUNTS, SLOTS, settings) for m in (masks, garbage)]
    assert torch.equal(results[0].loss, results[1].loss)
    other_first = masks.clone()
    other_first[0] = masks[0].roll(20, dims=-1)
    changed = online(student, teacher)(images, other_first, COUNTS, SLOTS, settings)
    assert not torch.equal(results[0].loss, changed.loss), "else the test above proves nothing"


def test_every_term_is_told_and_adds_up(student: Model, teacher: Model, clips: tuple[Tensor, Tensor]) -> None:
    images, masks = clips
    settings = RolloutConfig(reference_weight=0.25)
    result = online(student, teacher, label_weight=0.5)(images, masks, COUNTS, SLOTS, settings)
    terms = {name: float(value) for name, value in result.terms.items()}
    assert set(terms) == {"inter", "intra", "attention_cka", "labels"}
    expected = terms["inter"] + terms["intra"] + 1.5 * terms["attention_cka"] + 0.5 * terms["labels"]
    expected += 0.25 * float(result.frame_losses[0].mean())
    assert result.loss.item() == pytest.approx(expected, rel=1e-5)


def test_a_student_that_is_its_teacher_has_nothing_to_learn(
    teacher: Model, clips: tuple[Tensor, Tensor]
) -> None:
    images, masks = clips
    without_labels = DistillationConfig(label_weight=0.0)
    targets = teacher_targets(teacher, images, masks[0], COUNTS, [MapChoice()], SLOTS)
    settings = RolloutConfig(long_term_gap=2)
    result = distillation_rollout(teacher, images, masks[0], targets, COUNTS, settings, without_labels, SLOTS)
    assert result.loss.item() == pytest.approx(0.0, abs=1e-4)
    assert all(torch.equal(frame.labels, mine) for frame, mine in zip(targets, result.masks[1:], strict=True))


def test_every_parameter_of_the_student_learns_and_none_of_the_teacher(
    student: Model, teacher: Model, clips: tuple[Tensor, Tensor]
) -> None:
    images, masks = clips
    for network in (m for m in student.modules() if hasattr(m, "zero_offsets")):
        torch.nn.init.normal_(
            network.offsets.weight, std=0.5
        )  # with zero offsets the layer before them has no gradient
    objective = online(student, teacher)
    assert {id(p) for p in objective.parameters()} == {id(p) for p in student.parameters()}
    objective(images, masks, COUNTS, SLOTS, RolloutConfig(reference_weight=1.0)).loss.backward()
    for name, parameter in student.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_attention_alone_moves_the_offsets(
    student: Model, teacher: Model, clips: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, masks = clips
    encode = student.encode

    def varied(images: Tensor) -> Features:
        """A random encoder sees the same everywhere, and a map that is the same for all queries teaches nothing."""
        features = encode(images)
        return features._replace(tokens=torch.randn_like(features.tokens))

    monkeypatch.setattr(student, "encode", varied)
    loss = DistillationLossConfig(logits="none")
    online(student, teacher, loss=loss, label_weight=0.0)(
        images, masks, COUNTS, SLOTS, RolloutConfig()
    ).loss.backward()
    offsets = student.get_parameter("layers.0.long_term.sampling.offset_network.offsets.weight").grad
    assert offsets is not None and offsets.any()
    decoder = student.get_parameter("decoder.conv_out.weight").grad
    assert decoder is None or not decoder.any()


def test_without_attention_no_map_is_made(
    student: Model, teacher: Model, clips: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, masks = clips
    monkeypatch.setattr(type(teacher), "attention_map", None)
    loss = DistillationLossConfig(attention="none")
    result = online(student, teacher, loss=loss)(images, masks, COUNTS, SLOTS, RolloutConfig())
    assert set(result.terms) == {"inter", "intra", "labels"}


def test_checkpointing_gives_the_same_gradients(teacher: Model, clips: tuple[Tensor, Tensor]) -> None:
    images, masks = clips
    config = DeAOTConfig(encoder=TINY, propagation=replace(NARROW, deformable=DeformableConfig()))
    gradients = []
    for checkpointing in (False, True):
        student = lively_model(config, seed=2)
        settings = RolloutConfig(reference_weight=0.5, long_term_gap=1, gradient_checkpointing=checkpointing)
        torch.manual_seed(5)  # dropout is part of what must be repeated
        OnlineDistillation(student, teacher, DistillationConfig())(
            images, masks, COUNTS, SLOTS, settings
        ).loss.backward()
        gradients.append({name: p.grad for name, p in student.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, expected in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], expected, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize(("gap", "frames"), [(1, [1, 2, 3]), (2, [1, 1, 2]), (None, [1, 1, 1])])
def test_student_and_teacher_keep_memories_by_the_gap(
    teacher: Model,
    student: Model,
    clips: tuple[Tensor, Tensor],
    monkeypatch: pytest.MonkeyPatch,
    gap: int | None,
    frames: list[int],
) -> None:
    """A teacher that keeps tracked frames keeps every second one where the student has the reference alone."""
    images, masks = clips
    seen: dict[bool, list[int]] = {True: [], False: []}
    propagate = type(teacher).propagate

    def watched(self: Model, features: Features, long_term: Any, *rest: Any) -> Any:
        seen[self is teacher].append(long_term[0].key.shape[1] // 25)
        return propagate(self, features, long_term, *rest)

    monkeypatch.setattr(type(teacher), "propagate", watched)
    online(student, teacher)(images, masks, COUNTS, SLOTS, RolloutConfig(long_term_gap=gap))
    assert seen[False] == frames
    assert seen[True] == ([1, 1, 2] if gap is None else frames)


def test_several_maps_may_be_compared(student: Model, teacher: Model, clips: tuple[Tensor, Tensor]) -> None:
    images, masks = clips
    pairs = ((MapChoice(0), MapChoice(0)), (MapChoice(0, "self"), MapChoice(1, "self")))
    result = online(student, teacher, maps=pairs)(images, masks, COUNTS, SLOTS, RolloutConfig())
    assert 0 < float(result.terms["attention_cka"]) < 2


def test_a_teacher_with_other_slots_uses_its_own(student: Model, clips: tuple[Tensor, Tensor]) -> None:
    images, masks = clips
    teacher = build_model(replace(small_config(), max_objects=4)).eval()
    result = online(student, teacher)(images, masks, COUNTS, SLOTS, RolloutConfig())
    assert result.loss.isfinite()
    teacher = build_model(replace(small_config(), max_objects=1)).eval()
    with pytest.raises(ValueError, match="2 objects but the model holds 1"):
        online(student, teacher)(images, masks, COUNTS, SLOTS, RolloutConfig())
