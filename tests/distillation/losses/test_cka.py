"""CKA against the definition: Gram matrices, a centring matrix and traces."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from limpet.distillation.losses import cka_loss

B, M = 2, 12


def maps(keys: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.softmax(2 * torch.randn(B, M, keys, dtype=dtype), dim=-1)


def slow_hsic(first: Tensor, second: Tensor) -> float:
    """tr(K H L H), each entry of the linear kernels by hand."""
    rows = len(first)
    grams = []
    for features in (first, second):
        gram = torch.zeros(rows, rows, dtype=torch.float64)
        for i in range(rows):
            for j in range(rows):
                gram[i, j] = sum(
                    a * b for a, b in zip(features[i].tolist(), features[j].tolist(), strict=True)
                )
        grams.append(gram)
    centring = torch.eye(rows, dtype=torch.float64) - 1 / rows
    return float(torch.trace(grams[0] @ centring @ grams[1] @ centring))


def slow_cka(first: Tensor, second: Tensor) -> float:
    own = slow_hsic(first, first) * slow_hsic(second, second)
    return slow_hsic(first, second) / own**0.5


# fewer keys than queries (products of keys), more (products of queries), one of each kind, equal
KEYS = [(4, 6), (5, 20), (16, 24), (30, 3), (M, M)]


@pytest.mark.parametrize(("ours", "theirs"), KEYS)
def test_it_is_one_minus_cka(ours: int, theirs: int) -> None:
    student, teacher = maps(ours), maps(theirs)
    found = cka_loss(student, teacher)
    assert found.shape == (B,)
    for b in range(B):
        assert found[b].item() == pytest.approx(1 - slow_cka(student[b], teacher[b]), rel=1e-10)


@pytest.mark.parametrize(("ours", "theirs"), KEYS)
def test_the_gradient_is_that_of_the_loss(ours: int, theirs: int) -> None:
    student, teacher = maps(ours)[:1].requires_grad_(), maps(theirs)[:1]
    assert torch.autograd.gradcheck(lambda s: cka_loss(s, teacher), student)


def test_equal_maps_cost_nothing_whatever_their_scale_shift_and_order_of_keys() -> None:
    teacher = maps(9)
    student = 3 * teacher[:, :, torch.randperm(9)] + torch.randn(9, dtype=torch.float64)
    assert cka_loss(student, teacher).abs().max() < 1e-12
    assert cka_loss(maps(9), teacher).min() > 0.1


def test_the_teacher_gets_no_gradient() -> None:
    student, teacher = maps(5).requires_grad_(), maps(7).requires_grad_()
    cka_loss(student, teacher).sum().backward()
    assert student.grad is not None and student.grad.abs().max() > 0
    assert teacher.grad is None


@pytest.mark.parametrize("keys", [4, 40])
@pytest.mark.parametrize("constant", ["student", "teacher", "both"])
def test_a_map_that_is_the_same_for_every_query_costs_one_and_has_no_gradient(
    keys: int, constant: str
) -> None:
    student, teacher = maps(keys, torch.float32), maps(6, torch.float32)
    if constant != "teacher":
        student[0] = student[0, :1]
    if constant != "student":
        teacher[0] = 1 / 6
    student.requires_grad_()
    loss = cka_loss(student, teacher)
    loss.sum().backward()
    assert loss[0] == 1 and 0 <= loss[1] < 1
    assert student.grad is not None and student.grad.isfinite().all()
    assert student.grad[0].abs().max() == 0 and student.grad[1].abs().max() > 0


@pytest.mark.parametrize("flatness", [1e-2, 1e-3])
def test_almost_flat_maps_keep_their_precision_in_float32(flatness: float) -> None:
    student, teacher = (torch.softmax(flatness * torch.randn(1, 200, keys), dim=-1) for keys in (50, 300))
    exact = cka_loss(student.double(), teacher.double())
    assert cka_loss(student, teacher).item() == pytest.approx(exact.item(), rel=1e-3)


def test_autocast_does_not_lower_the_precision() -> None:
    student, teacher = maps(40, torch.float32).requires_grad_(), maps(30, torch.float32)
    plain = cka_loss(student, teacher)
    with torch.autocast("cpu", torch.bfloat16):
        cast = cka_loss(student, teacher)
    assert cast.dtype == torch.float32
    assert torch.equal(plain, cast)


def test_maps_in_half_precision_give_a_float32_loss_and_a_gradient_of_their_own_type() -> None:
    student = maps(8, torch.float32).bfloat16().requires_grad_()
    loss = cka_loss(student, maps(8, torch.float32))
    loss.sum().backward()
    assert loss.dtype == torch.float32
    assert student.grad is not None and student.grad.dtype == torch.bfloat16


def test_each_element_of_the_batch_is_weighed_by_what_comes_from_above() -> None:
    student, teacher = maps(5).requires_grad_(), maps(7)
    cka_loss(student, teacher).sum().backward()
    whole = student.grad
    student.grad = None
    (cka_loss(student, teacher) * torch.tensor([2.0, 0.0])).sum().backward()
    assert whole is not None and student.grad is not None
    assert torch.allclose(student.grad[0], 2 * whole[0]) and student.grad[1].abs().max() == 0


def test_maps_of_other_queries_are_refused() -> None:
    message = (
        r"batch and queries of the attention maps differ: \(2, 12\) of the student, \(2, 11\) of the teacher"
    )
    with pytest.raises(ValueError, match=message):
        cka_loss(maps(5), maps(5)[:, 1:])
