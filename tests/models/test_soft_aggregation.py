"""Soft aggregation equals its formula, pixel by pixel."""

from __future__ import annotations

import math

import torch

from limpet.models.attention import MASKED_LOGIT
from limpet.models.soft_aggregation import AGGREGATION_MARGIN, soft_aggregation


def test_it_equals_a_loop_over_pixels() -> None:
    logits = 6 * torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).double()
    found = soft_aggregation(logits)
    assert found.shape == (2, 4, 4, 5)
    for b in range(2):
        for cell in range(20):
            objects = [1 / (1 + math.exp(-x)) for x in logits[b].flatten(1)[:, cell].tolist()]
            background = math.prod(1 - p for p in objects)
            kept = [min(max(p, AGGREGATION_MARGIN), 1 - AGGREGATION_MARGIN) for p in (background, *objects)]
            expected = torch.tensor([math.log(p / (1 - p)) for p in kept]).double()
            torch.testing.assert_close(found[b].flatten(1)[:, cell], expected, atol=1e-6, rtol=1e-6)


def test_one_object_is_as_probable_as_twice_its_logit_says() -> None:
    logits = torch.randn(1, 1, 4, 5)
    merged = soft_aggregation(logits).softmax(dim=1)
    torch.testing.assert_close(merged[:, 1:], (2 * logits).sigmoid())


def test_slots_without_an_object_stay_without_and_change_nothing() -> None:
    logits = torch.randn(1, 2, 4, 5)
    absent = torch.full((1, 1, 4, 5), MASKED_LOGIT)
    with_absent = soft_aggregation(torch.cat([logits, absent], dim=1))
    assert (with_absent[:, 3] == MASKED_LOGIT).all()
    torch.testing.assert_close(with_absent[:, :3], soft_aggregation(logits))


def test_far_logits_have_finite_gradients() -> None:
    logits = (
        torch.tensor([-1e4, -20.0, 0.0, 20.0, 1e4])
        .view(1, 1, 1, 5)
        .expand(1, 2, 1, 5)
        .clone()
        .requires_grad_()
    )
    soft_aggregation(logits).log_softmax(dim=1)[:, 0].sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all()
