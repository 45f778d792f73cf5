"""What a teacher predicts for a clip: logits, labels and attention maps, from the clip's first mask alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from limpet.attention_map import AttentionMap
from limpet.distillation.config import MapChoice
from limpet.models.base import Model
from limpet.training.rollout import ClipRun, RolloutConfig

SHORT_GAP = 2
"""Frames between the long-term memories of a teacher that keeps tracked frames: training clips are short."""


class TeacherTargets(NamedTuple):
    """The teacher's prediction for one frame; S = N + 1 slots.

    logits: (B, S, H/4, W/4) by id. labels: int64 (B, H, W), the most probable id. maps: one for each choice. tokens:
    (B, D, h, w), what the decoder read, where they were asked for.
    """

    logits: Tensor
    labels: Tensor
    maps: tuple[AttentionMap, ...]
    tokens: Tensor | None = None


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
) -> list[TeacherTargets]:
    """Let the teacher track the objects of each clip's first mask, on its own predictions.

    Args:
        teacher: in evaluation mode, of any dtype.
        images: (T, B, 3, H, W) normalised. first_mask: int64 (B, H, W), ids 0..N.
        object_counts: B numbers of objects, each at most the teacher's.
        choices: the attention maps that are wanted.
        slots: (B, slots) int64, as in ``limpet.training.rollout.rollout``; left out where the teacher has another
            number of slots.
        with_tokens: keep what the decoder read, too.
        long_term_gap: frames between long-term memories, for a teacher that keeps tracked frames; None is 2.

    Returns:
        Frames 1..T-1.

    Raises:
        ValueError: see ``rollout``. ModelError: the teacher has no such map.
    """
    usable = slots is not None and slots.shape[1] == teacher.config.max_objects + 1
    gap = None if teacher.config.long_term_gap is None else long_term_gap or SHORT_GAP
    config = RolloutConfig(own_predictions=True, long_term_gap=gap)
    images = images.to(teacher.dtype)
    run = ClipRun(teacher, images, object_counts, config, slots if usable else None, choices)
    return [
        TeacherTargets(frame.logits, frame.masks, frame.maps, frame.tokens if with_tokens else None)
        for frame in run.frames(first_mask, with_reference=False)
    ]
