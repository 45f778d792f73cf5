"""Divergences against loops, and maps of different grids against averages by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from limpet.distillation.losses import kl_attention_loss, kl_logits_loss

B, S, H, W, M = 2, 4, 3, 5, 7
MASKED_LOGIT = -1e10


def scores() -> Tensor:
    found = 2 * torch.randn(B, S, H, W, dtype=torch.float64)
    found[1, 2:] = MASKED_LOGIT
    return found


def maps(keys: int) -> Tensor:
    return torch.softmax(2 * torch.randn(B, M, keys, dtype=torch.float64), dim=-1)


def slow_kl(teacher: list[float], student: list[float]) -> float:
    return sum(p * math.log(p / q) for p, q in zip(teacher, student, strict=True) if p > 0)


def softmax(row: list[float]) -> list[float]:
    weights = [math.exp(score) for score in row]
    return [weight / sum(weights) for weight in weights]


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_kl_of_the_logits(temperature: float) -> None:
    student, teacher = scores(), scores()
    found = kl_logits_loss(student, teacher, temperature)
    assert found.shape == (B,)
    for b in range(B):
        pixels = [
            slow_kl(*(softmax((each[b, :, y, x] / temperature).tolist()) for each in (teacher, student)))
            for y in range(H)
            for x in range(W)
        ]
        assert found[b].item() == pytest.approx(temperature**2 * sum(pixels) / (H * W), rel=1e-10)


def test_kl_of_sampled_pixels_without_the_hidden_factor() -> None:
    """At MobileVOS's temperature of 0.1 the factor would leave a hundredth of the loss."""
    student, teacher = scores(), scores()
    sampled = torch.rand(B, H, W) < 0.5
    sampled[1] = False
    found = kl_logits_loss(student, teacher, 0.1, sampled, keep_scale=False)
    pixels = [
        slow_kl(*(softmax((each[0, :, y, x] / 0.1).tolist()) for each in (teacher, student)))
        for y in range(H)
        for x in range(W)
        if sampled[0, y, x]
    ]
    assert pixels and found[0].item() == pytest.approx(sum(pixels) / len(pixels), rel=1e-9)
    assert found[1] == 0
    with pytest.raises(ValueError, match="batch and size of the sampled pixels differ"):
        kl_logits_loss(student, teacher, 0.1, sampled[:1])


def test_slots_without_object_do_not_disturb_and_the_teacher_gets_no_gradient() -> None:
    student, teacher = scores().float().requires_grad_(), scores().float().requires_grad_()
    loss = kl_logits_loss(student, teacher)
    loss.sum().backward()
    assert loss.isfinite().all() and teacher.grad is None
    assert student.grad is not None and student.grad.isfinite().all()
    assert student.grad[1, 2:].abs().max() == 0 and student.grad[1, :2].abs().max() > 0


def test_a_temperature_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature is 0, expected a number above 0"):
        kl_logits_loss(scores(), scores(), 0)


def test_kl_of_maps_with_the_same_keys() -> None:
    student, teacher = maps(2 * 3 * 4), maps(2 * 3 * 4)
    found = kl_attention_loss(student, teacher, (3, 4), (3, 4))
    assert found.shape == (B,)
    for b in range(B):
        rows = [slow_kl(teacher[b, m].tolist(), student[b, m].tolist()) for m in range(M)]
        assert found[b].item() == pytest.approx(sum(rows) / M, rel=1e-10)


def slow_coarse(row: list[float], frames: int) -> list[float]:
    """Attention to frames of 4 x 6 keys -> 2 x 3 keys that each stand for four; sums to one."""
    found = []
    for frame in range(frames):
        for i in range(2):
            for j in range(3):
                cells = [frame * 24 + y * 6 + x for y in (2 * i, 2 * i + 1) for x in (2 * j, 2 * j + 1)]
                found.append(sum(row[cell] for cell in cells) / 4)
    return [value / sum(found) for value in found]


def test_the_teacher_is_averaged_over_the_cells_of_a_coarser_student() -> None:
    student, teacher = maps(2 * 6), maps(2 * 24)
    found = kl_attention_loss(student, teacher, (2, 3), (4, 6))
    for b in range(B):
        rows = [slow_kl(slow_coarse(teacher[b, m].tolist(), 2), student[b, m].tolist()) for m in range(M)]
        assert found[b].item() == pytest.approx(sum(rows) / M, rel=1e-10)


def test_frames_are_summed_where_the_networks_hold_different_numbers() -> None:
    student, teacher = maps(24), maps(2 * 24)
    found = kl_attention_loss(student, teacher, (4, 6), (4, 6))
    summed = teacher[:, :, :24] + teacher[:, :, 24:]
    assert torch.allclose(found, kl_attention_loss(student, summed, (4, 6), (4, 6)))
    assert found.min() > 0.05


@pytest.mark.parametrize("grid", [(2, 3), (3, 3), (5, 7)])
def test_any_grid_gives_a_divergence(grid: tuple[int, int]) -> None:
    """Grids that do not divide each other too: a flat map stays flat, so that a flat student costs nothing."""
    keys = grid[0] * grid[1]
    flat = torch.full((B, M, keys), 1 / keys)
    assert kl_attention_loss(flat, torch.full((B, M, 24), 1 / 24), grid, (4, 6)).abs().max() < 1e-5
    assert kl_attention_loss(flat, maps(24), grid, (4, 6)).min() > 0.01


def test_the_gradient_of_a_map_that_has_zeros_is_finite() -> None:
    logits = torch.randn(B, M, 24)
    logits[:, :, 3] = -200.0  # softmax makes it exactly zero
    logits.requires_grad_()
    teacher = maps(24).float().requires_grad_()
    loss = kl_attention_loss(torch.softmax(logits, dim=-1), teacher, (4, 6), (4, 6))
    loss.sum().backward()
    assert loss.isfinite().all() and teacher.grad is None
    assert logits.grad is not None and logits.grad.isfinite().all() and logits.grad.abs().max() > 0


def test_the_gradient_is_that_of_the_loss() -> None:
    scores, teacher = torch.randn(1, M, 6, dtype=torch.float64, requires_grad=True), maps(24)[:1]
    assert torch.autograd.gradcheck(
        lambda s: kl_attention_loss(s.softmax(dim=-1), teacher, (2, 3), (4, 6)), scores
    )


def test_a_grid_that_does_not_fit_the_keys_is_refused() -> None:
    with pytest.raises(ValueError, match=r"24 keys are not whole frames of 3 x 5 cells; pass the \(h, w\)"):
        kl_attention_loss(maps(24), maps(24), (3, 5), (4, 6))
