"""Distillation as what a training run minimises: the student follows a teacher along the same clips (Algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.distillation.config import DistillationConfig
from limpet.distillation.feature_loss import FeatureLoss, token_width
from limpet.distillation.losses import DistillationLoss, distillation_loss
from limpet.distillation.teacher_targets import TeacherTargets, teacher_targets
from limpet.models.base import Model, joint_logits, keep_slots
from limpet.models.identity import one_hot
from limpet.training.rollout import ClipFrame, ClipRun, RolloutConfig, RolloutResult


class OnlineDistillation(nn.Module):
    """The teacher labels each clip as it comes, from its first mask; the clip's other masks are not looked at.

    Args:
        model: the student.
        teacher: ready for inference; it is not among the module's parameters.
        settings: see DistillationConfig. Where features are compared, ``helpers`` does it.
    """

    def __init__(self, model: Model, teacher: Model, settings: DistillationConfig) -> None:
        super().__init__()
        self.model = model
        self.settings = settings
        # A tuple hides it: the teacher is neither trained, nor saved, nor sent to other processes.
        self._teacher = (teacher,)
        self.helpers: nn.Module = nn.Identity()
        if settings.features != "none":
            self.helpers = FeatureLoss(settings.features, token_width(model), token_width(teacher))

    def forward(
        self, images: Tensor, masks: Tensor, object_counts: list[int], slots: Tensor, config: RolloutConfig
    ) -> RolloutResult:
        """See ``distillation_rollout``; of ``masks`` (T, B, H, W) only the first counts."""
        targets = self.targets(images, masks[0], object_counts, slots, config.long_term_gap)
        features = self.helpers if isinstance(self.helpers, FeatureLoss) else None
        return distillation_rollout(
            self.model, images, masks[0], targets, object_counts, config, self.settings, slots, features
        )

    def targets(
        self,
        images: Tensor,
        first_mask: Tensor,
        object_counts: list[int],
        slots: Tensor,
        long_term_gap: int | None = None,
    ) -> list[TeacherTargets]:
        """What the teacher predicts for the clips; see ``teacher_targets``."""
        choices = [theirs for _, theirs in self.settings.pairs]
        tokens = self.settings.features != "none"
        return teacher_targets(
            self._teacher[0], images, first_mask, object_counts, choices, slots, tokens, long_term_gap
        )


class CachedDistillation(nn.Module):
    """The clips' masks are the teacher's own, made beforehand; the student learns them as logits that are certain.

    The teacher does not run, so there are no soft logits and no attention maps to compare.
    """

    CERTAIN = 10.0  # a logit whose softmax leaves less than 1e-3 to all other slots

    def __init__(self, model: Model, settings: DistillationConfig) -> None:
        super().__init__()
        self.model = model
        self.settings = settings
        self.helpers = nn.Identity()

    def forward(
        self, images: Tensor, masks: Tensor, object_counts: list[int], slots: Tensor, config: RolloutConfig
    ) -> RolloutResult:
        """See ``distillation_rollout``; ``masks`` (T, B, H, W) are the teacher's."""
        quarter = (-(-masks.shape[-2] // 4), -(-masks.shape[-1] // 4))
        targets = [
            TeacherTargets(self._logits(labels, quarter, object_counts), labels, ()) for labels in masks[1:]
        ]
        return distillation_rollout(
            self.model, images, masks[0], targets, object_counts, config, self.settings, slots
        )

    def _logits(self, labels: Tensor, size: tuple[int, int], object_counts: list[int]) -> Tensor:
        """Labels (B, H, W) -> logits (B, N+1, *size)."""
        planes = one_hot(labels, max(object_counts) + 1)
        return keep_slots(F.adaptive_avg_pool2d(planes, size) * self.CERTAIN, object_counts)


def distillation_rollout(
    student: Model,
    images: Tensor,
    first_mask: Tensor,
    targets: Sequence[TeacherTargets],
    object_counts: Sequence[int],
    config: RolloutConfig,
    settings: DistillationConfig,
    slots: Tensor | None = None,
    feature_loss: FeatureLoss | None = None,
) -> RolloutResult:
    """Predict frames 1..T-1 from frame 0, and compare each with the teacher's prediction.

    Only the first mask is given: the student's memories are made of the teacher's labels, or (own_predictions) of its
    own.

    Args:
        student: in training mode or not.
        images: (T, B, 3, H, W) normalised. first_mask: int64 (B, H, W), ids 0..N.
        targets: frames 1..T-1 from ``teacher_targets``, whose maps are those of ``settings.pairs``.
        object_counts, slots: see ``limpet.training.rollout.rollout``.
        config: its ``top_k_fraction`` and ``reference_weight`` are those of the mask losses.
        settings: see DistillationConfig.
        feature_loss: compares the tokens of student and teacher; the targets have them then.

    Raises:
        ValueError: see ``rollout``. ModelError: the student has no such map.
    """
    ours = [choice for choice, _ in settings.pairs]
    run = ClipRun(student, images, object_counts, config, slots, ours)
    losses, predicted, parts = [], [], []
    for frame in run.frames(first_mask, [first_mask, *(target.labels for target in targets)]):
        losses.append(run.mask_loss(frame))
        predicted.append(frame.masks)
        if frame.frame_index > 0:
            logits = joint_logits(frame.logits, student.config)
            parts.append(_compared(frame, logits, targets[frame.frame_index - 1], settings, feature_loss))
    each = torch.stack(losses)  # T B
    labels = each[1:].mean()
    loss = torch.stack([part.loss for part in parts]).mean() + settings.label_weight * labels
    loss = loss + config.reference_weight * each[0].mean()
    terms = {name: torch.stack([part.terms[name] for part in parts]).mean() for name in parts[0].terms}
    return RolloutResult(loss, each.detach(), torch.stack(predicted), {**terms, "labels": labels.detach()})


def _compared(
    frame: ClipFrame,
    logits: Tensor,
    target: TeacherTargets,
    settings: DistillationConfig,
    feature_loss: FeatureLoss | None,
) -> DistillationLoss:
    """The terms of one frame: logits, attention maps and, where they are compared, features."""
    maps = list(zip(frame.maps, target.maps, strict=True))
    part = distillation_loss(logits, target.logits, maps, settings.loss)
    if feature_loss is None:
        return part
    assert target.tokens is not None  # the objective asks for them
    loss = feature_loss(frame.tokens, target.tokens, target.labels)
    return DistillationLoss(part.loss + loss, {**part.terms, f"features_{feature_loss.kind}": loss.detach()})
