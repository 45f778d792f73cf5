"""Representation distillation, unified with contrastive learning (MobileVOS, eqs. 1-2 and 5-6, Algorithm 1).

A correlation matrix says which pixels are alike. The student's is pulled towards the teacher's, towards the labels'
(pixels of one object are alike), or a mixture of the two.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from limpet.distillation.losses.inputs import expect_same, full_precision


def representation_loss(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    omega: float = 1.0,
    sampled: Tensor | None = None,
) -> Tensor:
    """(log2 |Cs|^2 - log2 |Cs * C|^2) / P, with C = omega * Ct + (1 - omega) * Cy, over P sampled cells.

    Takes memory for P^2 numbers a few times over: sample where P is more than some thousands.

    Args:
        student: (B, Cs, h, w) representations before the last layer; they are L2-normalised here.
        teacher: (B, Ct, h, w) of the same frames; it gets no gradient.
        labels: (B, h, w) integers, the object of each cell; the teacher's own answer where nothing is labelled.
        omega: 1 is distillation from the teacher, 0 contrastive learning from the labels.
        sampled: (B, h, w) bool, the cells that count, such as those near an outline; None takes all.

    Returns:
        (B,), >= 0 as correlations lie in [-1, 1]; 0 where no cell is sampled.

    Raises:
        ValueError: shapes differ, or omega is outside [0, 1].
    """
    if not 0 <= omega <= 1:
        raise ValueError(f"omega is {omega}, expected a share from 0 (labels alone) to 1 (teacher alone)")
    area = (student.shape[0], *student.shape[2:])
    for what, other in (
        ("representations", (teacher.shape[0], *teacher.shape[2:])),
        ("labels", labels.shape),
    ):
        expect_same(f"batch and size of the {what}", area, other, "resize them to the student's cells")
    if sampled is None:
        sampled = torch.ones_like(labels, dtype=torch.bool)
    expect_same("batch and size of the sampled cells", area, sampled.shape, "make one bool for each cell")
    with torch.autocast(student.device.type, enabled=False):
        return torch.stack(
            [
                _of_one(student[b][:, cells], teacher[b][:, cells], labels[b][cells], omega)
                for b, cells in enumerate(sampled)
            ]
        )


def _of_one(student: Tensor, teacher: Tensor, labels: Tensor, omega: float) -> Tensor:
    """The loss of one element: representations (C, P), labels (P,)."""
    if not labels.numel():
        return full_precision(student).sum()  # zero, but still part of the graph
    ours = _correlations(student)
    alike = (labels[:, None] == labels).to(ours.dtype)
    target = omega * _correlations(teacher.detach()) + (1 - omega) * alike
    alone, shared = ours.square().sum(), (ours * target).square().sum()
    smallest = torch.finfo(ours.dtype).tiny  # only reached by representations that are zero everywhere
    return (alone.clamp_min(smallest).log2() - shared.clamp_min(smallest).log2()) / labels.numel()


def _correlations(representations: Tensor) -> Tensor:
    """(C, P) -> (P, P) cosines between pixels."""
    normal = F.normalize(full_precision(representations), dim=0)
    return normal.T @ normal
