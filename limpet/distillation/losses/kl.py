"""Distillation by Kullback-Leibler divergence: of the logits (Hinton et al. 2015) and of attention maps.

The distillation paper compares the second with CKA (Table 4, Fig. 5). A divergence needs both maps on the same keys.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from limpet.distillation.losses.inputs import expect_same, full_precision


def kl_logits_loss(
    student: Tensor,
    teacher: Tensor,
    temperature: float = 1.0,
    sampled: Tensor | None = None,
    keep_scale: bool = True,
) -> Tensor:
    """KL(teacher || student) of both distributions over the slots, averaged over pixels, times temperature^2.

    The factor keeps the size of the gradients when the temperature changes. MobileVOS (section 3.4) has no such factor
    and a temperature of 0.1; its eq. 9 prints the arguments the other way round, but its Algorithm 1, and everyone
    else, has the teacher first.

    Args:
        student: (B, S, H, W) scores before the softmax; -1e10 marks slots without object.
        teacher: the same of the teacher; it gets no gradient.
        temperature: above 1 softens both distributions, below 1 sharpens them.
        sampled: (B, H, W) bool, the pixels that count; None takes all.
        keep_scale: multiply by temperature^2.

    Returns:
        (B,) >= 0, in nats; 0 where no pixel is sampled.

    Raises:
        ValueError: the shapes differ, or the temperature is not positive.
    """
    expect_same(
        "shapes of the scores", student.shape, teacher.shape, "bring both to one size and one order of slots"
    )
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature}, expected a number above 0")
    log_student, log_teacher = (
        F.log_softmax(full_precision(scores).flatten(2) / temperature, dim=1)
        for scores in (student, teacher.detach())
    )
    pixels = (log_teacher.exp() * (log_teacher - log_student)).sum(dim=1)  # B HW
    scale = temperature**2 if keep_scale else 1.0
    if sampled is None:
        return scale * pixels.mean(dim=1)
    area = (student.shape[0], *student.shape[2:])
    expect_same("batch and size of the sampled pixels", area, sampled.shape, "make one bool for each pixel")
    counts = sampled.flatten(1)
    return scale * (pixels * counts).sum(dim=1) / counts.sum(dim=1).clamp_min(1)


def kl_attention_loss(
    student: Tensor, teacher: Tensor, student_grid: tuple[int, int], teacher_grid: tuple[int, int]
) -> Tensor:
    """KL(teacher || student) of each query's attention, averaged over the queries.

    The teacher's map is brought onto the grid of the student's keys: averaged over the cells that a student's key
    stands for, and made to sum to one again. (Deformed keys count for the cell they started from.) Where the
    two networks hold different numbers of frames, both maps are summed over their frames first.

    Args:
        student: (B, M, Fs*hs*ws) attention after the softmax, keys frame by frame, each frame row-major.
        teacher: (B, M, Ft*ht*wt) of the same queries; it gets no gradient.
        student_grid: (hs, ws), the student's keys in one frame.
        teacher_grid: (ht, wt).

    Returns:
        (B,) >= 0, in nats.

    Raises:
        ValueError: batch or queries differ, or keys are not whole frames of their grid.
    """
    expect_same(
        "batch and queries of the attention maps",
        student.shape[:2],
        teacher.shape[:2],
        "run both networks on frames of one size",
    )
    ours = _by_frame(full_precision(student), student_grid)  # B M F h w
    theirs = resample_keys(_by_frame(full_precision(teacher.detach()), teacher_grid), student_grid)
    if ours.shape[2] != theirs.shape[2]:
        ours, theirs = ours.sum(dim=2), theirs.sum(dim=2)
    ours, theirs = ours.flatten(2), theirs.flatten(2)
    smallest = torch.finfo(ours.dtype).tiny
    theirs = theirs / theirs.sum(dim=2, keepdim=True).clamp_min(smallest)
    rows = torch.xlogy(theirs, theirs) - theirs * ours.clamp_min(smallest).log()
    return rows.sum(dim=2).mean(dim=1)


def resample_keys(attention: Tensor, grid: tuple[int, int]) -> Tensor:
    """Average (B, M, F, h, w) over the cells of another grid; rows no longer sum to one."""
    if attention.shape[3:] == grid:
        return attention
    planes = F.adaptive_avg_pool2d(attention.flatten(1, 2), grid)
    resampled: Tensor = planes.unflatten(1, attention.shape[1:3])
    return resampled


def _by_frame(attention: Tensor, grid: tuple[int, int]) -> Tensor:
    """(B, M, F*h*w) -> (B, M, F, h, w)."""
    cells, keys = grid[0] * grid[1], attention.shape[2]
    if keys % cells:
        raise ValueError(
            f"{keys} keys are not whole frames of {grid[0]} x {grid[1]} cells; pass the (h, w) of this map's keys"
        )
    frames: Tensor = attention.unflatten(2, (keys // cells, *grid))
    return frames
