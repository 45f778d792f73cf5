"""What a teacher predicts for a clip: logits, labels and attention maps, from the clip's first mask alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from limpet.attention_map import AttentionMap
from limpet.core.sizes import SizeRule
from limpet.distillation.config import MapChoice
from limpet.models.base import Model, joint_logits
from limpet.training.rollout import ClipRun, RolloutConfig

SHORT_GAP = 2
"""Frames between the long-term memories of a teacher that keeps tracked frames: training clips are short."""


class TeacherTargets(NamedTuple):
    """The teacher's prediction for one frame; S = N + 1 slots.

    logits: (B, S, H/4, W/4) by id; their softmax are the probabilities.
    labels: int64 (B, H, W), the most probable id.
    maps: one for each choice.
    tokens: (B, D, h, w), what the decoder read, where it was asked for.
    representation: (B, N or 1, C, H/4, W/4), what the decoder's last layer read, where it was asked for.
    full_logits: (B, S, H, W), the logits of every pixel; they come with the representation.
    """

    logits: Tensor
    labels: Tensor
    maps: tuple[AttentionMap, ...]
    tokens: Tensor | None = None
    representation: Tensor | None = None
    full_logits: Tensor | None = None


@torch.no_grad()
def teacher_targets(
    teacher: Model,
    images: Tensor,
    first_mask: Tensor,
    object_counts: Sequence[int],
    choices: Sequence[MapChoice] = (),
    slots: Tensor | None = None,
    with_tokens: bool = False,
    long_term_gap: int | None = None,
    with_representation: bool = False,
) -> list[TeacherTargets]:
    """Let the teacher track the objects of each clip's first mask, on its own predictions.

    Args:
        teacher: in evaluation mode, of any dtype. Where its images need another size (16k or 16k + 1), they are resized
            for it, and logits and labels are brought back to the clips' size; maps, tokens and representation are not.
        images: (T, B, 3, H, W) normalised. first_mask: int64 (B, H, W), ids 0..N.
        object_counts: B numbers of objects, each at most the teacher's.
        choices: the attention maps that are wanted.
        slots: (B, slots) int64, as in ``limpet.training.rollout.rollout``; left out where the teacher has another
            number of slots.
        with_tokens: keep what the decoder read, too.
        long_term_gap: frames between long-term memories, for a teacher that keeps tracked frames; None is 2.
        with_representation: keep what the last layer read, and the logits of every pixel.

    Returns:
        Frames 1..T-1.

    Raises:
        ValueError: see ``rollout``. ModelError: the teacher has no such map.
    """
    usable = slots is not None and slots.shape[1] == teacher.config.max_objects + 1
    gap = None if teacher.config.long_term_gap is None else long_term_gap or SHORT_GAP
    config = RolloutConfig(own_predictions=True, long_term_gap=gap)
    clip_size = (images.shape[-2], images.shape[-1])
    size = SizeRule(None, None, teacher.config.align_corners).network_size(*clip_size)
    if size != clip_size:
        images = resized(images.flatten(0, 1), size).unflatten(0, images.shape[:2])
        first_mask = F.interpolate(first_mask[:, None].float(), size=size, mode="nearest-exact")[:, 0].long()
    images = images.to(teacher.dtype)
    run = ClipRun(
        teacher, images, object_counts, config, slots if usable else None, choices, with_representation
    )
    targets = []
    for frame in run.frames(first_mask, with_reference=False):
        logits, full_logits, labels = frame.logits, frame.full_logits, frame.masks
        if size != clip_size:
            logits = resized(logits, (-(-clip_size[0] // 4), -(-clip_size[1] // 4)))
            full_logits = resized(full_logits, clip_size)
            labels = full_logits.argmax(dim=1)
        targets.append(
            TeacherTargets(
                joint_logits(logits, teacher.config),
                labels,
                frame.maps,
                frame.tokens if with_tokens else None,
                frame.representation,
                full_logits if with_representation else None,
            )
        )
    return targets


def resized(planes: Tensor, size: Sequence[int]) -> Tensor:
    """Planes (B, C, h, w) at another size, bilinear and in float32; those of that size already as they are."""
    if planes.shape[-2:] == torch.Size(size):
        return planes
    return F.interpolate(planes.float(), size=tuple(size), mode="bilinear", align_corners=False)
