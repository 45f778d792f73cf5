"""Attention transfer (Zagoruyko and Komodakis 2017): where the student is active should be where the teacher is."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from limpet.distillation.losses.inputs import expect_same, full_precision


def attention_transfer_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """The distance between both networks' maps of activity: the mean square over channels, at unit norm over cells.

    MobileVOS compares itself with it (section 7.6). The number of channels may differ.

    Args:
        student: (B, Cs, h, w).
        teacher: (B, Ct, h, w) of the same frames; it gets no gradient.

    Returns:
        (B,) in [0, sqrt(2)].

    Raises:
        ValueError: batch or size differ.
    """
    area = (student.shape[0], *student.shape[2:])
    expect_same(
        "batch and size of the features",
        area,
        (teacher.shape[0], *teacher.shape[2:]),
        "resize one map to the other",
    )
    ours, theirs = (
        F.normalize(full_precision(features).square().mean(dim=1).flatten(1), dim=1)
        for features in (student, teacher.detach())
    )  # B h*w
    # the norm itself has no gradient where both maps are equal
    return (ours - theirs).square().sum(dim=1).clamp_min(1e-12).sqrt()
