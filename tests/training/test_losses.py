"""The losses against slow loops over pixels and slots."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from limpet.training.losses import (
    bootstrapped_cross_entropy,
    ce_dice_loss,
    ce_jaccard_loss,
    find_mask_loss,
    poly_cross_entropy,
    soft_dice,
    soft_jaccard,
    top_k_schedule,
)

B, S, H, W = 2, 4, 6, 7


def example(slots_in_second: int = 2) -> tuple[Tensor, Tensor]:
    """Scores (2, 4, 6, 7) and masks; the second element uses fewer slots than the first."""
    scores = torch.randn(B, S, H, W, dtype=torch.float64) * 2
    masks = torch.stack([torch.randint(0, S, (H, W)), torch.randint(0, slots_in_second, (H, W))])
    return scores, masks


def slow_probability(scores: Tensor, b: int, s: int, y: int, x: int) -> float:
    total = sum(math.exp(scores[b, k, y, x].item()) for k in range(S))
    return math.exp(scores[b, s, y, x].item()) / total


def slow_cross_entropy(scores: Tensor, masks: Tensor, b: int, count: int) -> float:
    losses = [
        -math.log(slow_probability(scores, b, int(masks[b, y, x]), y, x)) for y in range(H) for x in range(W)
    ]
    return sum(sorted(losses, reverse=True)[:count]) / count


def slow_jaccard(scores: Tensor, masks: Tensor, b: int) -> float:
    losses = []
    for s in range(S):
        shared = whole = area = 0.0
        for y in range(H):
            for x in range(W):
                probability, inside = slow_probability(scores, b, s, y, x), float(masks[b, y, x] == s)
                shared += probability * inside
                whole += probability + inside - probability * inside
                area += inside
        if area:
            losses.append(1 - shared / whole)
    return sum(losses) / len(losses)


@pytest.mark.parametrize(("share", "count"), [(1.0, 42), (0.5, 21), (0.15, 6)])
def test_cross_entropy_of_the_hardest_pixels(share: float, count: int) -> None:
    scores, masks = example()
    found = bootstrapped_cross_entropy(scores, masks, share)
    assert found.shape == (B,)
    for b in range(B):
        assert found[b].item() == pytest.approx(slow_cross_entropy(scores, masks, b, count), rel=1e-12)


@pytest.mark.parametrize(("share", "count", "epsilon"), [(1.0, 42, 1.0), (0.5, 21, 1.0), (0.15, 6, -0.5)])
def test_poly_cross_entropy_of_the_hardest_pixels(share: float, count: int, epsilon: float) -> None:
    scores, masks = example()
    found = poly_cross_entropy(scores, masks, share, epsilon)
    for b in range(B):
        losses = []
        for y in range(H):
            for x in range(W):
                p = slow_probability(scores, b, int(masks[b, y, x]), y, x)
                losses.append(-math.log(p) + epsilon * (1 - p))
        assert found[b].item() == pytest.approx(sum(sorted(losses)[-count:]) / count, rel=1e-12)


def test_cross_entropy_can_be_had_alone_and_in_its_poly_form() -> None:
    scores, masks = example()
    assert torch.equal(
        find_mask_loss("ce")(scores, masks, 0.5), bootstrapped_cross_entropy(scores, masks, 0.5)
    )
    assert torch.equal(
        find_mask_loss("poly_ce")(scores, masks, 0.5), poly_cross_entropy(scores, masks, 0.5, 1.0)
    )


def test_soft_jaccard() -> None:
    scores, masks = example()
    assert len(masks[1].unique()) < S, "an element must leave slots empty"
    found = soft_jaccard(scores, masks)
    assert found.shape == (B,)
    for b in range(B):
        assert found[b].item() == pytest.approx(slow_jaccard(scores, masks, b), rel=1e-12)


def test_the_mask_loss_is_half_of_each() -> None:
    scores, masks = example()
    half = [(slow_cross_entropy(scores, masks, b, 21) + slow_jaccard(scores, masks, b)) / 2 for b in range(B)]
    assert ce_jaccard_loss(scores, masks, 0.5).tolist() == pytest.approx(half, rel=1e-12)


def test_a_perfect_and_a_wholly_wrong_answer() -> None:
    masks = torch.randint(0, S, (B, H, W))
    right = 50.0 * torch.nn.functional.one_hot(masks, S).permute(0, 3, 1, 2).float()
    assert ce_jaccard_loss(right, masks, 1.0).abs().max() < 1e-6
    wrong = soft_jaccard(right, (masks + 1) % S)
    assert wrong.min() > 0.999


def test_slots_that_can_never_win_do_not_disturb() -> None:
    """Absent slots have a score of -1e10; losses and gradients stay finite and those slots get none."""
    scores, masks = example(slots_in_second=2)
    scores[1, 2:] = -1e10
    scores = scores.float().requires_grad_()
    loss = ce_jaccard_loss(scores, masks, 0.5)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert scores.grad is not None and scores.grad.isfinite().all()
    assert scores.grad[1, 2:].abs().max() == 0
    assert scores.grad[1, :2].abs().max() > 0


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    scores, masks = example()
    for loss in (bootstrapped_cross_entropy, poly_cross_entropy):
        with pytest.raises(ValueError, match=rf"top_k_fraction is {share}, expected a number in \(0, 1\]"):
            loss(scores, masks, share)


def test_the_share_of_hard_pixels_falls_until_half_way() -> None:
    assert top_k_schedule(0.0) == 1.0
    assert top_k_schedule(0.25) == pytest.approx(0.575)
    assert top_k_schedule(0.5) == top_k_schedule(0.7) == top_k_schedule(1.0) == pytest.approx(0.15)
    assert top_k_schedule(0.25, final=0.5) == pytest.approx(0.75)


def test_dice_is_that_of_a_slow_loop() -> None:
    scores, masks = example()
    found = soft_dice(scores, masks)
    for b in range(B):
        each = []
        for s in range(S):
            truth = [(y, x) for y in range(H) for x in range(W) if masks[b, y, x] == s]
            if truth:
                inside = sum(slow_probability(scores, b, s, y, x) for y, x in truth)
                all_of_it = sum(slow_probability(scores, b, s, y, x) for y in range(H) for x in range(W))
                each.append(1 - (2 * inside + 1) / (all_of_it + len(truth) + 1))
        assert found[b].item() == pytest.approx(sum(each) / len(each))
    both = 0.5 * bootstrapped_cross_entropy(scores, masks, 0.5) + 0.5 * found
    torch.testing.assert_close(ce_dice_loss(scores, masks, 0.5), both)
    assert find_mask_loss("ce_dice") is ce_dice_loss
