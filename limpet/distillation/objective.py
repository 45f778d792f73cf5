"""Distillation as what a training run minimises: the student learns from a teacher that watches the same clips."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.distillation.config import DistillationConfig
from limpet.distillation.feature_loss import FeatureLoss, token_width
from limpet.distillation.losses import DistillationLoss, distillation_loss
from limpet.distillation.teacher_targets import TeacherTargets, teach
from limpet.models.base import Model, keep_slots
from limpet.models.identity import one_hot
from limpet.training.losses import mask_loss
from limpet.training.rollout import ClipRun, RolloutConfig, RolloutResult, check_clips, encode_clip, join


class OnlineDistillation(nn.Module):
    """The teacher labels each clip as it comes, from its first mask; the clip's other masks are not looked at.

    Args:
        model: the student.
        teacher: ready for inference; it has no part in the module's parameters.
        lesson: see DistillationConfig. Where features are compared, ``helpers`` does it.
    """

    def __init__(self, model: Model, teacher: Model, lesson: DistillationConfig) -> None:
        super().__init__()
        self.model = model
        self.lesson = lesson
        self._teacher = (
            teacher,
        )  # a tuple hides it: it is neither trained, nor saved, nor sent to other processes
        self.helpers: nn.Module = nn.Identity()
        if lesson.features != "none":
            self.helpers = FeatureLoss(lesson.features, token_width(model), token_width(teacher))

    def forward(
        self, images: Tensor, masks: Tensor, object_counts: list[int], slots: Tensor, config: RolloutConfig
    ) -> RolloutResult:
        """See ``learn``; of ``masks`` (T, B, H, W) only the first counts."""
        taught = self.taught(images, masks[0], object_counts, slots)
        features = self.helpers if isinstance(self.helpers, FeatureLoss) else None
        return learn(
            self.model, images, masks[0], taught, object_counts, config, self.lesson, slots, features
        )

    def taught(
        self, images: Tensor, first_mask: Tensor, object_counts: list[int], slots: Tensor
    ) -> list[TeacherTargets]:
        """What the teacher says of the clips; see ``teach``."""
        choices = [theirs for _, theirs in self.lesson.pairs]
        tokens = self.lesson.features != "none"
        return teach(self._teacher[0], images, first_mask, object_counts, choices, slots, tokens)


class CachedDistillation(nn.Module):
    """The clips' masks are the teacher's own, made beforehand; the student learns them as scores that are certain.

    No teacher runs, so that there are no soft scores and no attention maps to compare.
    """

    CERTAIN = 10.0  # a score whose softmax leaves less than 1e-3 to all other slots

    def __init__(self, model: Model, lesson: DistillationConfig) -> None:
        super().__init__()
        self.model = model
        self.lesson = lesson
        self.helpers = nn.Identity()

    def forward(
        self, images: Tensor, masks: Tensor, object_counts: list[int], slots: Tensor, config: RolloutConfig
    ) -> RolloutResult:
        """See ``learn``; ``masks`` (T, B, H, W) are the teacher's."""
        quarter = (-(-masks.shape[-2] // 4), -(-masks.shape[-1] // 4))
        taught = [
            TeacherTargets(self._scores(labels, quarter, object_counts), labels, ()) for labels in masks[1:]
        ]
        return learn(self.model, images, masks[0], taught, object_counts, config, self.lesson, slots)

    def _scores(self, labels: Tensor, size: tuple[int, int], object_counts: list[int]) -> Tensor:
        """Labels (B, H, W) -> scores (B, N+1, *size)."""
        planes = one_hot(labels, max(object_counts) + 1)
        return keep_slots(F.adaptive_avg_pool2d(planes, size) * self.CERTAIN, object_counts)


def learn(
    student: Model,
    images: Tensor,
    first_mask: Tensor,
    taught: Sequence[TeacherTargets],
    object_counts: Sequence[int],
    settings: RolloutConfig,
    lesson: DistillationConfig,
    slots: Tensor | None = None,
    feature_loss: FeatureLoss | None = None,
) -> RolloutResult:
    """Predict frames 1..T-1 from frame 0, and compare each with the teacher's.

    No mask but the first comes in: the student's memory is made of the teacher's labels, or (own_predictions) of its
    own.

    Args:
        student: in training mode or not.
        images: (T, B, 3, H, W) normalised. first_mask: int64 (B, H, W), ids 0..N.
        taught: frames 1..T-1 from ``teach``, whose maps are those of ``lesson.pairs``.
        object_counts, slots: as of ``limpet.training.rollout.rollout``.
        settings: its ``top_k_fraction`` and ``reference_weight`` are those of the mask losses.
        feature_loss: compares the tokens of student and teacher, whose frames then have them.

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
        parts.append(part if feature_loss is None else _with_features(part, feature_loss, tokens, frame))
        losses.append(mask_loss(large, frame.labels, settings.top_k_fraction))
        predicted.append(large.argmax(dim=1))
        known = predicted[-1] if settings.own_predictions else frame.labels
        short_term = student.remember(pending, run.remembered(known))
        if settings.long_term_gap is not None and step - last_kept >= settings.long_term_gap:
            kept, last_kept = [short_term, *kept], step
    each = torch.stack(losses)  # T B
    labels = each[1:].mean()
    loss = torch.stack([part.loss for part in parts]).mean() + lesson.label_weight * labels
    loss = loss + settings.reference_weight * each[0].mean()
    terms = {name: torch.stack([part.terms[name] for part in parts]).mean() for name in parts[0].terms}
    return RolloutResult(loss, each.detach(), torch.stack(predicted), {**terms, "labels": labels.detach()})


def _with_features(
    part: DistillationLoss, features: FeatureLoss, tokens: Tensor, frame: TeacherTargets
) -> DistillationLoss:
    assert frame.tokens is not None  # the objective asks for them
    loss = features(tokens, frame.tokens, frame.labels)
    return DistillationLoss(part.loss + loss, {**part.terms, f"features_{features.kind}": loss.detach()})
