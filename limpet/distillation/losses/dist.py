"""Logit distillation by correlation: inter- and intra-object losses (distillation paper, eqs. 10-11; DIST, 2022).

Probabilities over the slots make a matrix, pixels by slots. The inter-object loss compares its rows (how one pixel is
shared out among the objects), the intra-object loss its columns (where one object is). A row or column that is
constant in the teacher has no correlation and does not count.

Both look at each element of a batch by itself: slot 1 of one clip and slot 1 of another are different objects, so a
column that ran through both would mean nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from limpet.distillation.losses.inputs import expect_same, full_precision

# Variance of probabilities, deviations of 1e-4: an object of one pixel in 465 x 465 has 5e-6. Without the bound, an
# object that is out of sight would be compared by the noise of its tiny probabilities.
CONSTANT = 1e-8

SLOTS = 11  # the background and the ten objects of the official networks


def inter_object_loss(student: Tensor, teacher: Tensor, slots: int = SLOTS) -> Tensor:
    """1 - Pearson correlation over the slots, averaged over pixels (eq. 10).

    Slots without object take part with probability 0, also those that the scores leave out. They must: over two
    slots alone the correlation is always 1 or -1, so that a clip with one object would have no gradient; and the loss
    of a clip would depend on how many objects its neighbours in the batch have.

    Args:
        student: (B, S, H, W) scores before the softmax, background first; -1e10 marks slots without object.
        teacher: the same of the teacher; it gets no gradient.
        slots: S and those left out, at least 3.

    Returns:
        (B,) in [0, 2]; 0 where no pixel counts.

    Raises:
        ValueError: the shapes differ, or ``slots`` is less than 3 or than S.
    """
    return _inter(*_both_probabilities(student, teacher), slots)


def intra_object_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """1 - Pearson correlation over the pixels, averaged over the slots that the teacher uses (eq. 11).

    Args:
        student: (B, S, H, W) scores before the softmax, background first; -1e10 marks slots without object.
        teacher: the same of the teacher; it gets no gradient.

    Returns:
        (B,) in [0, 2]; 0 where no slot counts.

    Raises:
        ValueError: the shapes differ.
    """
    return _intra(*_both_probabilities(student, teacher))


def dist_losses(student: Tensor, teacher: Tensor, slots: int = SLOTS) -> tuple[Tensor, Tensor]:
    """Both losses, ``(inter, intra)``, (B,) each, from one softmax; see the two for the arguments."""
    ours, theirs = _both_probabilities(student, teacher)
    return _inter(ours, theirs, slots), _intra(ours, theirs)


def _inter(student: Tensor, teacher: Tensor, slots: int) -> Tensor:
    """(B, S, P) probabilities. They sum to one, so their mean over the slots is known: 1 / slots."""
    if slots < max(3, student.shape[1]):
        raise ValueError(
            f"slots is {slots}, expected at least 3 and no fewer than the {student.shape[1]} that have scores; pass "
            f"the number of objects that the model holds at once, and one for the background"
        )
    mean = 1 / slots
    covariance = (student * teacher).sum(dim=1) / slots - mean**2  # B P
    variance = student.square().sum(dim=1) / slots - mean**2
    return _mean_distance(covariance, variance, teacher.square().sum(dim=1) / slots - mean**2)


def _intra(student: Tensor, teacher: Tensor) -> Tensor:
    """(B, S, P) probabilities. Centred before they are squared: a small object hardly moves the background's mean."""
    student = student - student.mean(dim=2, keepdim=True)
    teacher = teacher - teacher.mean(dim=2, keepdim=True)
    covariance = (student * teacher).mean(dim=2)  # B S
    return _mean_distance(covariance, student.square().mean(dim=2), teacher.square().mean(dim=2))


def _mean_distance(covariance: Tensor, student: Tensor, teacher: Tensor) -> Tensor:
    """1 - correlation, averaged over what the teacher does not hold constant; variances (B, n) -> (B,)."""
    counts = teacher > CONSTANT
    # A constant student is bounded, not left out: it is wrong, and the covariance shows it the way.
    product = student.clamp_min(CONSTANT) * teacher.clamp_min(CONSTANT)
    distance = 1 - covariance * product.rsqrt()
    return (distance * counts).sum(dim=1) / counts.sum(dim=1).clamp_min(1)


def _both_probabilities(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (B, S, H, W) of both -> probabilities (B, S, H*W)."""
    expect_same(
        "shapes of the scores", student.shape, teacher.shape, "bring both to one size and one order of slots"
    )
    return _probabilities(student), _probabilities(teacher.detach())


def _probabilities(scores: Tensor) -> Tensor:
    return torch.softmax(full_precision(scores).flatten(2), dim=1)
