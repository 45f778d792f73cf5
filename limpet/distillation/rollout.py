"""Runs a student along clips and compares it with what its teacher says of them (distillation paper, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from limpet.distillation.features import FeatureKind, FeatureLesson, check_kind
from limpet.distillation.lesson import MapChoice, TaughtFrame
from limpet.distillation.losses import DistillationLoss, DistillationLossConfig, distillation_loss
from limpet.errors import DataError
from limpet.models.base import Model
from limpet.training.losses import mask_loss
from limpet.training.rollout import ClipRun, RolloutConfig, RolloutResult, check_clips, encode_clip, join


@dataclass(frozen=True)
class LessonConfig:
    """What the student is compared in.

    loss: the terms on scores and attention maps (eq. 12).
    labels: weight of the mask loss (cross-entropy and Jaccard) against the teacher's labels. The paper's eq. 12 has no
        such term, and correlation alone does not say how sure a pixel should be; 0 repeats the paper.
    maps: pairs of (student's, teacher's) map that are compared (eq. 9); the paper has the last layers' long-term maps.
    features: how the tokens that the decoders read are compared: not at all, or as one of the paper's competitors
        (Table 2) does; see FeatureLesson.
    """

    loss: DistillationLossConfig = field(default_factory=DistillationLossConfig)
    labels: float = 1.0
    maps: tuple[tuple[MapChoice, MapChoice], ...] = ((MapChoice(), MapChoice()),)
    features: FeatureKind = "none"

    def __post_init__(self) -> None:
        check_kind(self.features)
        if self.loss.logits == self.loss.attention == self.features == "none":
            raise DataError("logits and attention are both 'none'; nothing would be learned from the teacher")

    @property
    def pairs(self) -> tuple[tuple[MapChoice, MapChoice], ...]:
        """The pairs that are needed: none where no attention is compared."""
        return () if self.loss.attention == "none" else self.maps


def learn(
    student: Model,
    images: Tensor,
    first_mask: Tensor,
    taught: Sequence[TaughtFrame],
    object_counts: Sequence[int],
    settings: RolloutConfig,
    lesson: LessonConfig,
    slots: Tensor | None = None,
    features_lesson: FeatureLesson | None = None,
) -> RolloutResult:
    """Predict frames 1..T-1 from frame 0, and compare each with the teacher's.

    No mask but the first comes in: the student's memory is made of the teacher's labels, or (own_predictions) of its
    own.

    Args:
        student: in training mode or not.
        images: (T, B, 3, H, W) normalised. first_mask: int64 (B, H, W), ids 0..N.
        taught: frames 1..T-1 from ``teach``, whose maps are those of ``lesson.pairs``.
        object_counts, slots: as of ``limpet.training.rollout.rollout``.
        settings: its ``hard_share`` and ``reference_weight`` are those of the mask losses.
        features_lesson: compares the tokens of student and teacher, whose frames then have them.

    Raises:
        ValueError: as of ``rollout``. ModelError: the student has no such map.
    """
    check_clips(student, images, object_counts)
    run = ClipRun(student, object_counts, slots, settings)
    features = encode_clip(student, images)
    scores, loss, first, short_term = run.begin(images[0], features[0], first_mask)
    kept, last_kept, losses, predicted = [first], 0, [loss], [scores.argmax(dim=1)]
    parts = []
    for step, frame in enumerate(taught, start=1):
        long_term = join(kept)
        tokens, pending = student.propagate(features[step], long_term, short_term)
        scores = run.scores(tokens, features[step])
        large = run.enlarge(scores, first_mask.shape[-2:])
        maps = [
            (student.attention_map(pending, long_term, features[step].size, *ours), theirs)
            for (ours, _), theirs in zip(lesson.pairs, frame.maps, strict=True)
        ]
        part = distillation_loss(scores, frame.scores, maps, lesson.loss)
        parts.append(
            part if features_lesson is None else _with_features(part, features_lesson, tokens, frame)
        )
        losses.append(mask_loss(large, frame.labels, settings.hard_share))
        predicted.append(large.argmax(dim=1))
        known = predicted[-1] if settings.own_predictions else frame.labels
        short_term = student.remember(pending, run.remembered(known))
        if settings.long_term_gap is not None and step - last_kept >= settings.long_term_gap:
            kept, last_kept = [short_term, *kept], step
    each = torch.stack(losses)  # T B
    labels = each[1:].mean()
    loss = torch.stack([part.loss for part in parts]).mean() + lesson.labels * labels
    loss = loss + settings.reference_weight * each[0].mean()
    terms = {name: torch.stack([part.terms[name] for part in parts]).mean() for name in parts[0].terms}
    return RolloutResult(loss, each.detach(), torch.stack(predicted), {**terms, "labels": labels.detach()})


def _with_features(
    part: DistillationLoss, features: FeatureLesson, tokens: Tensor, frame: TaughtFrame
) -> DistillationLoss:
    assert frame.tokens is not None  # the objective asks for them
    loss = features(tokens, frame.tokens, frame.labels)
    return DistillationLoss(part.loss + loss, {**part.terms, f"features_{features.kind}": loss.detach()})
