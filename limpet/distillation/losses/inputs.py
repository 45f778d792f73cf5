"""What every loss does with its inputs: checks that their shapes fit, and computes in float32 or better."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def full_precision(tensor: Tensor) -> Tensor:
    """The tensor in float32, or in float64 if it was that already; correlations of bfloat16 numbers are noise."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def expect_same(what: str, student: Sequence[int], teacher: Sequence[int], advice: str) -> None:
    """Raises ValueError unless both are alike, e.g. ``expect_same("sizes", (30, 30), (15, 15), "resize one")``."""
    if tuple(student) != tuple(teacher):
        raise ValueError(
            f"{what} differ: {tuple(student)} of the student, {tuple(teacher)} of the teacher; {advice}"
        )
