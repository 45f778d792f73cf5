"""The whole loss: each setting of the paper's tables adds up from its terms."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from limpet.attention_map import AttentionMap
from limpet.core.errors import DataError
from limpet.distillation.config import DistillationLossConfig
from limpet.distillation.losses import (
    cka_loss,
    distillation_loss,
    inter_object_loss,
    intra_object_loss,
    kl_attention_loss,
    kl_logits_loss,
)

B, S, M = 2, 4, 6


def scores() -> Tensor:
    return torch.randn(B, S, 5, 6, requires_grad=True)


def attention(frames: int, grid: tuple[int, int]) -> AttentionMap:
    weights = torch.softmax(2 * torch.randn(B, M, frames * grid[0] * grid[1]), dim=-1)
    return AttentionMap(weights.requires_grad_(), grid, None)


def terms_of(student: Tensor, teacher: Tensor, ours: AttentionMap, theirs: AttentionMap) -> dict[str, float]:
    found = {
        "inter": inter_object_loss(student, teacher),
        "intra": intra_object_loss(student, teacher),
        "logits_kl": kl_logits_loss(student, teacher, 2.0),
        "attention_cka": cka_loss(ours.weights, theirs.weights),
        "attention_kl": kl_attention_loss(ours.weights, theirs.weights, ours.grid, theirs.grid),
    }
    return {name: term.mean().item() for name, term in found.items()}


@pytest.mark.parametrize(
    ("settings", "weights"),
    [
        ({}, {"inter": 1, "intra": 1, "attention_cka": 1.5}),
        ({"attention_weight": 0.5}, {"inter": 1, "intra": 1, "attention_cka": 0.5}),
        ({"attention": "kl"}, {"inter": 1, "intra": 1, "attention_kl": 1.5}),
        ({"attention": "none"}, {"inter": 1, "intra": 1}),
        ({"attention": "none", "logits": "inter"}, {"inter": 1}),
        ({"logits": "intra"}, {"intra": 1, "attention_cka": 1.5}),
        ({"attention": "none", "logits": "kl", "temperature": 2.0}, {"logits_kl": 1}),
        ({"logits": "none", "attention_weight": 2.0}, {"attention_cka": 2.0}),
    ],
)
def test_the_loss_is_the_sum_of_its_terms(settings: dict[str, Any], weights: dict[str, float]) -> None:
    student, teacher, ours, theirs = scores(), scores(), attention(1, (2, 3)), attention(2, (4, 6))
    found = distillation_loss(student, teacher, [(ours, theirs)], DistillationLossConfig(**settings))
    each = terms_of(student, teacher, ours, theirs)
    assert list(found.terms) == list(weights)
    for name, term in found.terms.items():
        assert term.item() == pytest.approx(each[name], rel=1e-5)
        assert not term.requires_grad and term.shape == ()
    assert found.loss.item() == pytest.approx(sum(w * each[name] for name, w in weights.items()), rel=1e-5)
    found.loss.backward()
    learns = {
        "logits": student.grad is not None,
        "attention": ours.weights.grad is not None,
        "teacher": teacher.grad is not None or theirs.weights.grad is not None,
    }
    assert learns == {
        "logits": settings.get("logits") != "none",
        "attention": settings.get("attention") != "none",
        "teacher": False,
    }


def test_several_pairs_of_maps_are_added_up() -> None:
    student, teacher = scores(), scores()
    pairs = [(attention(1, (2, 3)), attention(1, (2, 3))) for _ in range(2)]
    config = DistillationLossConfig()
    both = distillation_loss(student, teacher, pairs, config)
    each = [
        distillation_loss(student, teacher, [pair], config).terms["attention_cka"].item() for pair in pairs
    ]
    assert both.terms["attention_cka"].item() == pytest.approx(sum(each), rel=1e-5)


def test_the_slots_are_handed_on() -> None:
    student, teacher = scores(), scores()
    found = distillation_loss(student, teacher, [], DistillationLossConfig(attention="none", slots=5))
    assert found.terms["inter"].item() == pytest.approx(inter_object_loss(student, teacher, 5).mean().item())
    alone = distillation_loss(student, teacher, [], DistillationLossConfig("inter", "none", slots=5))
    assert torch.equal(alone.terms["inter"], found.terms["inter"])


def test_without_terms_the_loss_is_zero() -> None:
    found = distillation_loss(scores(), scores(), [], DistillationLossConfig("none", "none"))
    assert found.loss.shape == () and found.loss == 0 and not found.terms


def test_the_attention_term_needs_maps() -> None:
    with pytest.raises(
        ValueError, match="no attention maps came for the cka term; pass them or set attention="
    ):
        distillation_loss(scores(), scores(), [], DistillationLossConfig())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"logits": "mse"}, "logits is 'mse', expected one of dist, inter, intra, kl, none"),
        ({"attention": "dist"}, "attention is 'dist', expected one of cka, kl, none"),
        ({"attention_weight": -1.0}, r"attention_weight is -1\.0, expected a number of at least 0"),
        ({"attention_weight": float("nan")}, "attention_weight is nan"),
        ({"temperature": 0.0}, r"temperature is 0\.0, expected a number above 0"),
        ({"slots": 2}, "slots is 2, expected a number of at least 3"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        DistillationLossConfig(**settings)
