"""Attention transfer against loops over cells and channels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from limpet.distillation.losses import attention_transfer_loss

B, H, W = 2, 3, 4


def slow_map(features: Tensor, b: int) -> list[float]:
    activity = [
        sum(float(features[b, c, y, x]) ** 2 for c in range(features.shape[1]))
        for y in range(H)
        for x in range(W)
    ]
    norm = math.sqrt(sum(value**2 for value in activity))
    return [value / norm for value in activity]


def test_against_cells_and_channels() -> None:
    student, teacher = (torch.randn(B, width, H, W, dtype=torch.float64) for width in (3, 5))
    found = attention_transfer_loss(student, teacher)
    assert found.shape == (B,)
    for b in range(B):
        pairs = zip(slow_map(student, b), slow_map(teacher, b), strict=True)
        assert found[b].item() == pytest.approx(math.sqrt(sum((s - t) ** 2 for s, t in pairs)), rel=1e-9)


def test_its_gradient_is_right_and_reaches_the_student_alone() -> None:
    student, teacher = (torch.randn(B, width, H, W, dtype=torch.float64) for width in (3, 5))
    student.requires_grad_()
    teacher.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: attention_transfer_loss(s, teacher), student)
    attention_transfer_loss(student, teacher).sum().backward()
    assert teacher.grad is None and student.grad is not None and student.grad.any()


def test_equal_maps_cost_nothing_and_have_a_finite_gradient() -> None:
    teacher = torch.randn(B, 3, H, W)
    student = (2 * teacher).requires_grad_()
    loss = attention_transfer_loss(student, teacher)
    loss.sum().backward()
    assert loss.max() < 1e-5 and student.grad is not None and student.grad.isfinite().all()
    with pytest.raises(ValueError, match="batch and size of the features differ"):
        attention_transfer_loss(teacher, teacher[..., 1:])
