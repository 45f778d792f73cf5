"""Inter- and intra-object losses against loops over pixels and slots."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from limpet.distillation.losses import dist_losses, inter_object_loss, intra_object_loss

B, S, H, W = 2, 4, 5, 6
MASKED_LOGIT = -1e10


def scores() -> Tensor:
    """(2, 4, 5, 6); the second element has two slots only."""
    found = 2 * torch.randn(B, S, H, W, dtype=torch.float64)
    found[1, 2:] = MASKED_LOGIT
    return found


def slow_probabilities(scores: Tensor, b: int, y: int, x: int) -> list[float]:
    weights = [math.exp(score) for score in scores[b, :, y, x].tolist()]
    return [weight / sum(weights) for weight in weights]


def slow_pearson(first: list[float], second: list[float]) -> float:
    a, b = sum(first) / len(first), sum(second) / len(second)
    above = sum((p - a) * (q - b) for p, q in zip(first, second, strict=True))
    return above / math.sqrt(sum((p - a) ** 2 for p in first) * sum((q - b) ** 2 for q in second))


def slow_inter(student: Tensor, teacher: Tensor, b: int, slots: int) -> float:
    rest, distances = [0.0] * (slots - student.shape[1]), []
    for y in range(H):
        for x in range(W):
            p, q = slow_probabilities(student, b, y, x), slow_probabilities(teacher, b, y, x)
            distances.append(1 - slow_pearson(p + rest, q + rest))
    return sum(distances) / len(distances)


def slow_intra(student: Tensor, teacher: Tensor, b: int, used: int) -> float:
    distances = []
    for slot in range(used):
        p, q = (
            [slow_probabilities(each, b, y, x)[slot] for y in range(H) for x in range(W)]
            for each in (student, teacher)
        )
        distances.append(1 - slow_pearson(p, q))
    return sum(distances) / used


@pytest.mark.parametrize("slots", [S, 11])
def test_the_inter_object_loss(slots: int) -> None:
    student, teacher = scores(), scores()
    found = inter_object_loss(student, teacher, slots)
    assert found.shape == (B,)
    for b in range(B):
        assert found[b].item() == pytest.approx(slow_inter(student, teacher, b, slots), rel=1e-10)


def test_the_intra_object_loss_leaves_out_slots_without_object() -> None:
    student, teacher = scores(), scores()
    found = intra_object_loss(student, teacher)
    assert found.shape == (B,)
    for b, used in enumerate((S, 2)):
        assert found[b].item() == pytest.approx(slow_intra(student, teacher, b, used), rel=1e-10)


def test_both_at_once() -> None:
    student, teacher = scores(), scores()
    inter, intra = dist_losses(student, teacher, 7)
    assert torch.equal(inter, inter_object_loss(student, teacher, 7))
    assert torch.equal(intra, intra_object_loss(student, teacher))


def test_slots_that_the_scores_leave_out_change_nothing() -> None:
    student, teacher = scores(), scores()
    found = dist_losses(student[1:, :2], teacher[1:, :2])
    for short, full in zip(found, dist_losses(student, teacher), strict=True):
        assert short[0].item() == pytest.approx(full[1].item(), rel=1e-12)


def test_a_clip_with_one_object_still_teaches() -> None:
    student, teacher = scores()[:, :2].requires_grad_(), scores()[:, :2]
    inter_object_loss(student, teacher).sum().backward()
    assert student.grad is not None and student.grad.abs().amax(dim=(1, 2, 3)).min() > 1e-4


@pytest.mark.parametrize("loss", [inter_object_loss, intra_object_loss])
def test_the_gradient_is_that_of_the_loss(loss) -> None:  # type: ignore[no-untyped-def]
    student, teacher = torch.randn(B, S, 2, 3, dtype=torch.float64, requires_grad=True), scores()[..., :2, :3]
    assert torch.autograd.gradcheck(lambda s: loss(s, teacher), student)


@pytest.mark.parametrize("loss", [inter_object_loss, intra_object_loss])
def test_equal_networks_cost_nothing_and_the_teacher_gets_no_gradient(loss) -> None:  # type: ignore[no-untyped-def]
    teacher = scores().requires_grad_()
    student = scores().requires_grad_()
    assert loss(teacher, teacher).abs().max() < 1e-12
    found = loss(student, teacher)
    assert found.min() > 0.05
    found.sum().backward()
    assert teacher.grad is None and student.grad is not None
    assert student.grad[1, 2:].abs().max() == 0


def test_constant_distributions_of_the_teacher_do_not_count() -> None:
    """A pixel that the teacher gives to all slots alike; an object that the teacher sees nowhere."""
    student, teacher = scores()[:1].float(), scores()[:1].float()
    whole = inter_object_loss(student, teacher, S) * H * W
    one = slow_inter(
        student[..., :1, :1].expand(-1, -1, H, W), teacher[..., :1, :1].expand(-1, -1, H, W), 0, S
    )
    teacher[0, :, 0, 0] = 3.0
    assert inter_object_loss(student, teacher, S).item() == pytest.approx(
        (whole.item() - one) / (H * W - 1), rel=1e-5
    )
    teacher = scores()[:1]
    teacher[0, 3] = -30.0
    without = slow_intra(student.double(), teacher, 0, 3)
    assert intra_object_loss(student, teacher.float()).item() == pytest.approx(without, rel=1e-5)


@pytest.mark.parametrize("loss", [lambda s, t: inter_object_loss(s, t, S), intra_object_loss])
@pytest.mark.parametrize("flat", ["student", "teacher", "both"])
def test_flat_scores_give_finite_losses_and_gradients(loss, flat: str) -> None:  # type: ignore[no-untyped-def]
    student, teacher = torch.randn(1, S, H, W), torch.randn(1, S, H, W)
    (student if flat != "teacher" else teacher).zero_()
    if flat == "both":
        teacher.zero_()
    student.requires_grad_()
    found = loss(student, teacher)
    found.sum().backward()
    assert found.item() == pytest.approx(1.0 if flat == "student" else 0.0, abs=1e-2)
    assert student.grad is not None and student.grad.isfinite().all()
    assert (student.grad.abs().max() > 0) == (flat == "student")


def test_autocast_and_half_precision_are_computed_in_float32() -> None:
    student, teacher = scores().bfloat16(), scores().bfloat16()
    plain = dist_losses(student.float(), teacher.float())
    with torch.autocast("cpu", torch.bfloat16):
        cast = dist_losses(student, teacher)
    for a, b in zip(plain, cast, strict=True):
        assert b.dtype == torch.float32 and torch.allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("slots", [2, 3])
def test_too_few_slots_are_refused(slots: int) -> None:
    student = scores()[:, : slots + 1]
    with pytest.raises(
        ValueError, match=rf"slots is {slots}, expected at least 3 and no fewer than the {slots + 1}"
    ):
        inter_object_loss(student, student, slots)


def test_scores_of_different_size_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"shapes of the scores differ: \(2, 4, 5, 6\).*bring both to one size"
    ):
        dist_losses(scores(), scores()[..., 1:])
