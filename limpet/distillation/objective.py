"""Distillation as what a training run minimises: the student learns from a teacher that watches the same clips."""

from __future__ import annotations

from torch import Tensor, nn

from limpet.distillation.lesson import TaughtFrame, teach
from limpet.distillation.rollout import LessonConfig, learn
from limpet.models.base import Model
from limpet.training.rollout import RolloutConfig, RolloutResult


class OnlineDistillation(nn.Module):
    """The teacher labels each clip as it comes, from its first mask; the clip's other masks are not looked at.

    Args:
        model: the student.
        teacher: ready for inference; it has no part in the module's parameters.
        lesson: see LessonConfig.
    """

    def __init__(self, model: Model, teacher: Model, lesson: LessonConfig) -> None:
        super().__init__()
        self.model = model
        self.lesson = lesson
        self._teacher = (
            teacher,
        )  # a tuple hides it: it is neither trained, nor saved, nor sent to other processes

    def forward(
        self, images: Tensor, masks: Tensor, object_counts: list[int], slots: Tensor, config: RolloutConfig
    ) -> RolloutResult:
        """See ``learn``; of ``masks`` (T, B, H, W) only the first counts."""
        taught = self.taught(images, masks[0], object_counts, slots)
        return learn(self.model, images, masks[0], taught, object_counts, config, self.lesson, slots)

    def taught(
        self, images: Tensor, first_mask: Tensor, object_counts: list[int], slots: Tensor
    ) -> list[TaughtFrame]:
        """What the teacher says of the clips; see ``teach``."""
        choices = [theirs for _, theirs in self.lesson.pairs]
        return teach(self._teacher[0], images, first_mask, object_counts, choices, slots)
