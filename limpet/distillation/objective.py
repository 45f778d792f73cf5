"""Distillation as what a training run minimises: the student learns from a teacher that watches the same clips."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from limpet.distillation.features import FeatureLesson, token_width
from limpet.distillation.lesson import TaughtFrame, teach
from limpet.distillation.rollout import LessonConfig, learn
from limpet.models.base import Model, keep_slots
from limpet.models.identity import one_hot
from limpet.training.rollout import RolloutConfig, RolloutResult


class OnlineDistillation(nn.Module):
    """The teacher labels each clip as it comes, from its first mask; the clip's other masks are not looked at.

    Args:
        model: the student.
        teacher: ready for inference; it has no part in the module's parameters.
        lesson: see LessonConfig. Where features are compared, ``helpers`` does it.
    """

    def __init__(self, model: Model, teacher: Model, lesson: LessonConfig) -> None:
        super().__init__()
        self.model = model
        self.lesson = lesson
        self._teacher = (
            teacher,
        )  # a tuple hides it: it is neither trained, nor saved, nor sent to other processes
        self.helpers: nn.Module = nn.Identity()
        if lesson.features != "none":
            self.helpers = FeatureLesson(lesson.features, token_width(model), token_width(teacher))

    def forward(
        self, images: Tensor, masks: Tensor, object_counts: list[int], slots: Tensor, config: RolloutConfig
    ) -> RolloutResult:
        """See ``learn``; of ``masks`` (T, B, H, W) only the first counts."""
        taught = self.taught(images, masks[0], object_counts, slots)
        features = self.helpers if isinstance(self.helpers, FeatureLesson) else None
        return learn(
            self.model, images, masks[0], taught, object_counts, config, self.lesson, slots, features
        )

    def taught(
        self, images: Tensor, first_mask: Tensor, object_counts: list[int], slots: Tensor
    ) -> list[TaughtFrame]:
        """What the teacher says of the clips; see ``teach``."""
        choices = [theirs for _, theirs in self.lesson.pairs]
        tokens = self.lesson.features != "none"
        return teach(self._teacher[0], images, first_mask, object_counts, choices, slots, tokens)


class CachedDistillation(nn.Module):
    """The clips' masks are the teacher's own, made beforehand; the student learns them as scores that are certain.

    No teacher runs, so that there are no soft scores and no attention maps to compare.
    """

    CERTAIN = 10.0  # a score whose softmax leaves less than 1e-3 to all other slots

    def __init__(self, model: Model, lesson: LessonConfig) -> None:
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
            TaughtFrame(self._scores(labels, quarter, object_counts), labels, ()) for labels in masks[1:]
        ]
        return learn(self.model, images, masks[0], taught, object_counts, config, self.lesson, slots)

    def _scores(self, labels: Tensor, size: tuple[int, int], object_counts: list[int]) -> Tensor:
        """Labels (B, H, W) -> scores (B, N+1, *size)."""
        planes = one_hot(labels, max(object_counts) + 1)
        return keep_slots(F.adaptive_avg_pool2d(planes, size) * self.CERTAIN, object_counts)
