"""What a teacher tells of a clip: scores, labels and attention maps, from its first mask alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from limpet.distillation.config import MapChoice
from limpet.models.attention_map import AttentionMap
from limpet.models.base import Model
from limpet.training.rollout import ClipRun, RolloutConfig, check_clips, encode_clip, join


class TeacherTargets(NamedTuple):
    """One frame as the teacher sees it. S = N + 1 slots.

    scores (B, S, H/4, W/4) by id; labels int64 (B, H, W), the most probable id; maps: one for each choice; tokens
    (B, D, h, w), what the decoder read, where they were asked for.
    """

    scores: Tensor
    labels: Tensor
    maps: tuple[AttentionMap, ...]
    tokens: Tensor | None = None


@torch.no_grad()
def teach(
    teacher: Model,
    images: Tensor,
    first_mask: Tensor,
    object_counts: Sequence[int],
    choices: Sequence[MapChoice] = (),
    slots: Tensor | None = None,
    with_tokens: bool = False,
) -> list[TeacherTargets]:
    """Let the teacher follow the objects of each clip's first mask, as a tracker does, on its own predictions.

    Args:
        teacher: in evaluation mode, of any dtype.
        images: (T, B, 3, H, W) normalised. first_mask: int64 (B, H, W), ids 0..N.
        object_counts: B numbers of objects, each at most the teacher's.
        choices: the attention maps that are wanted.
        slots: (B, S) int64 as of ``rollout``; left out where the teacher has another number of slots.
        with_tokens: keep what the decoder read, too.

    Returns:
        Frames 1..T-1.

    Raises:
        ValueError: as of ``rollout``. ModelError: the teacher has no such map.
    """
    check_clips(teacher, images, object_counts)
    usable = slots is not None and slots.shape[1] == teacher.config.max_objects + 1
    run = ClipRun(teacher, object_counts, slots if usable else None, RolloutConfig(own_predictions=True))
    features = encode_clip(teacher, images.to(teacher.dtype))
    _, _, short_term = teacher.refer(features[0], run.identify(first_mask))
    kept, last_kept, taught = [short_term], 0, []
    gap = None if teacher.config.long_term_gap is None else 2  # at training clips are short
    for step in range(1, images.shape[0]):
        long_term = join(kept)
        tokens, pending = teacher.propagate(features[step], long_term, short_term)
        scores = run.scores(tokens, features[step])
        labels = run.enlarge(scores, first_mask.shape[-2:]).argmax(dim=1)
        size = features[step].size
        maps = tuple(teacher.attention_map(pending, long_term, size, *choice) for choice in choices)
        taught.append(TeacherTargets(scores, labels, maps, tokens if with_tokens else None))
        short_term = teacher.remember(pending, run.identify(labels))
        if gap is not None and step - last_kept >= gap:
            kept, last_kept = [short_term, *kept], step
    return taught
