"""Attention distillation by centred kernel alignment, CKA (distillation paper, eqs. 8-9; Kornblith et al. 2019).

With the columns of the maps S (M, Ks) and T (M, Kt) centred, and a linear kernel,

    CKA = |S'T|^2 / (|S'S| |T'T|) = <SS', TT'> / (|SS'| |TT'|)        (Frobenius norms)

so the products may be Ks x Kt or M x M, whichever is smaller: either way they are no bigger than the maps. The
gradient is written out, because it needs the very products that the loss needs: autograd would keep them all, or
compute them twice. What is kept for the backward pass is the gradient itself, one more map of the student.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from limpet.distillation.losses.inputs import expect_same, full_precision

# A map whose centred energy is below this share of its energy (deviations of 1e-5, float32 being good to 1e-7) is
# the same for every query: all that is left of it is rounding, and CKA would compare noise.
CONSTANT = 1e-10


def cka_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - CKA of two attention maps, for each element of a batch by itself.

    Computed in float32 (float64 for float64 maps), also under autocast, one element of the batch at a time. No
    gradient reaches the teacher, and the loss can be differentiated once.

    Args:
        student: (B, M, Ks) attention of M queries to Ks keys, after the softmax.
        teacher: (B, M, Kt) of the same M queries; its keys may be others, and of another number.

    Returns:
        (B,) in [0, 1]; 1, without gradient, where a map is the same for every query: it has nothing to align.

    Raises:
        ValueError: the maps differ in batch or queries.
    """
    expect_same(
        "batch and queries of the attention maps",
        student.shape[:2],
        teacher.shape[:2],
        "only the numbers of keys may differ; run both networks on frames of one size",
    )
    return cast(Tensor, _CkaLoss.apply(student, teacher.detach()))  # type: ignore[no-untyped-call]


class _CkaLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor) -> Tensor:
        learns = ctx.needs_input_grad[0]
        gradient = torch.empty_like(student) if learns else None
        losses = []
        with torch.autocast(student.device.type, enabled=False):
            for index in range(student.shape[0]):
                alignment = _align(student[index], teacher[index], learns)
                losses.append(1 - alignment.score)
                if gradient is not None and alignment.gradient is not None:
                    gradient[index] = -alignment.gradient
        ctx.save_for_backward(gradient)
        return torch.stack(losses)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[:, None, None].to(gradient.dtype), None


class _Alignment(NamedTuple):
    """score: CKA, a scalar; gradient: of the score by the student's map (M, Ks), None if not asked for."""

    score: Tensor
    gradient: Tensor | None


def _align(student: Tensor, teacher: Tensor, learns: bool) -> _Alignment:
    """CKA of one pair of maps (M, Ks) and (M, Kt)."""
    queries, keys = student.shape
    s, scale = _centred(student)
    t, _ = _centred(teacher)
    by_keys = keys * teacher.shape[1] < queries * queries
    if by_keys:
        cross, own = s.T @ t, s.T @ s  # Ks Kt, Ks Ks
        common, own_energy, teacher_energy = cross.square().sum(), own.square().sum(), _product_energy(t)
    else:
        own, other = s @ s.T, t @ t.T  # M M
        common, own_energy, teacher_energy = (own * other).sum(), own.square().sum(), other.square().sum()
    # Maps of unit norm have products of norm 1/sqrt(M) or more, so only constant maps (zero here) are touched.
    tiny = torch.finfo(s.dtype).tiny
    own_energy, teacher_energy = own_energy.clamp_min(tiny), teacher_energy.clamp_min(tiny)
    norm = own_energy.sqrt() * teacher_energy.sqrt()
    score = common / norm
    if not learns:
        return _Alignment(score, None)
    ratio = common / own_energy
    toward = t @ cross.T - s @ (ratio * own) if by_keys else (other - ratio * own) @ s
    return _Alignment(score, (2 * scale / norm) * toward)


def _centred(attention: Tensor) -> tuple[Tensor, Tensor]:
    """The map with each column's mean taken off, at unit norm, zero if constant; and what it was multiplied by."""
    attention = full_precision(attention)
    centred = attention - attention.mean(dim=0)
    energy = centred.square().sum()
    scale = torch.where(
        energy > CONSTANT * attention.square().sum(), energy.rsqrt(), torch.zeros_like(energy)
    )
    return centred.mul_(scale), scale


def _product_energy(features: Tensor) -> Tensor:
    """|F'F|^2 of (M, K), by the smaller of the two products that have this norm."""
    wide = features.shape[1] > features.shape[0]
    return (features @ features.T if wide else features.T @ features).square().sum()
