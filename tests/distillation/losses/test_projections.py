"""Losses with a learned projection: hints and the ensemble of projectors, against loops over cells."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from limpet.distillation.losses import HintLoss, ProjectorEnsembleLoss

B, STUDENT, TEACHER, H, W = 2, 3, 5, 4, 2


def features() -> tuple[Tensor, Tensor]:
    return (torch.randn(B, width, H, W, requires_grad=True) for width in (STUDENT, TEACHER))  # type: ignore[return-value]


def slow_projection(projector: nn.Module, cell: list[float], relu: bool = False) -> list[float]:
    weights, biases = projector.weight[:, :, 0, 0].tolist(), projector.bias.tolist()
    found = [
        sum(w * c for w, c in zip(row, cell, strict=True)) + b for row, b in zip(weights, biases, strict=True)
    ]
    return [max(0.0, value) for value in found] if relu else found


def slow_cosine(first: list[float], second: list[float]) -> float:
    above = sum(a * b for a, b in zip(first, second, strict=True))
    return above / math.sqrt(sum(a * a for a in first) * sum(b * b for b in second))


def cells(planes: Tensor, b: int) -> list[list[float]]:
    return [planes[b, :, y, x].tolist() for y in range(H) for x in range(W)]


def test_hints() -> None:
    student, teacher = features()
    loss = HintLoss(STUDENT, TEACHER)
    found = loss(student, teacher)
    assert found.shape == (B,)
    for b in range(B):
        squares = [
            (p - t) ** 2
            for ours, theirs in zip(cells(student, b), cells(teacher, b), strict=True)
            for p, t in zip(slow_projection(loss.projection, ours), theirs, strict=True)
        ]
        assert found[b].item() == pytest.approx(0.5 * sum(squares) / len(squares), rel=1e-5)


@pytest.mark.parametrize("relu", [True, False])
def test_the_ensemble_of_projectors(relu: bool) -> None:
    student, teacher = features()
    loss = ProjectorEnsembleLoss(STUDENT, TEACHER, projectors=3, relu=relu)
    found = loss(student, teacher)
    assert found.shape == (B,)
    for b in range(B):
        distances = []
        for ours, theirs in zip(cells(student, b), cells(teacher, b), strict=True):
            each = [slow_projection(projector, ours, relu) for projector in loss.projectors]
            distances.append(1 - slow_cosine([sum(values) / 3 for values in zip(*each, strict=True)], theirs))
        assert found[b].item() == pytest.approx(sum(distances) / len(distances), rel=1e-5)


def test_the_projectors_of_an_ensemble_begin_apart() -> None:
    first, second, third = ProjectorEnsembleLoss(STUDENT, TEACHER).projectors
    assert not torch.equal(first.weight, second.weight) and not torch.equal(second.weight, third.weight)


@pytest.mark.parametrize("make", [HintLoss, ProjectorEnsembleLoss])
def test_student_and_projection_learn_and_the_teacher_does_not(make: type[nn.Module]) -> None:
    student, teacher = features()
    loss = make(STUDENT, TEACHER)
    loss(student, teacher).sum().backward()
    assert teacher.grad is None
    for learner in (student, *loss.parameters()):
        assert learner.grad is not None and learner.grad.isfinite().all() and learner.grad.abs().max() > 0


@pytest.mark.parametrize("make", [HintLoss, ProjectorEnsembleLoss])
def test_a_student_can_learn_its_teacher(make: type[nn.Module]) -> None:
    student = torch.randn(B, STUDENT, H, W, requires_grad=True)
    teacher = torch.rand(B, TEACHER, 1, 1).expand(-1, -1, H, W)
    loss = make(STUDENT, TEACHER)
    learners = [student, *loss.parameters()]
    before = loss(student, teacher).mean()
    for _ in range(60):
        value = loss(student, teacher).mean()
        gradients = torch.autograd.grad(value, learners)
        with torch.no_grad():
            for learner, gradient in zip(learners, gradients, strict=True):
                learner -= gradient
    assert value < 0.1 * before


@pytest.mark.parametrize("make", [HintLoss, ProjectorEnsembleLoss])
def test_maps_of_different_size_are_refused(make: type[nn.Module]) -> None:
    student, teacher = features()
    with pytest.raises(
        ValueError, match=r"differ: \(2, 5, 4, 2\) of the student, \(2, 5, 3, 2\) of the teacher"
    ):
        make(STUDENT, TEACHER)(student, teacher[:, :, 1:])


@pytest.mark.parametrize("make", [HintLoss, ProjectorEnsembleLoss])
def test_under_autocast_the_comparison_stays_in_float32(make: type[nn.Module]) -> None:
    student, teacher = features()
    loss = make(STUDENT, TEACHER)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(student, teacher)
    assert found.dtype == torch.float32
    assert torch.allclose(found, loss(student, teacher), rtol=0.05)


def test_an_ensemble_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="projectors is 0, expected at least 1"):
        ProjectorEnsembleLoss(STUDENT, TEACHER, projectors=0)
