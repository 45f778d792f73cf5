"""Hints (FitNets, Romero et al. 2015): the student's features, projected, should equal the teacher's."""

from __future__ import annotations

from torch import Tensor, nn

from limpet.distillation.losses.inputs import expect_same, full_precision


class HintLoss(nn.Module):
    """Half the mean squared difference of features after a learned 1x1 projection of the student's.

    The projection is trained along with the student and thrown away afterwards. (FitNets sums the squares; the
    mean makes the loss independent of size and width.)
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(student_channels, teacher_channels, 1)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compare features.

        Args:
            student: (B, student_channels, h, w).
            teacher: (B, teacher_channels, h, w) of the same frames; it gets no gradient.

        Returns:
            (B,) >= 0.

        Raises:
            ValueError: batch, size or the teacher's channels differ from what was expected.
        """
        projected = full_precision(self.projection(student))
        expect_same(
            "projected features and hints", projected.shape, teacher.shape, "resize one map to the other"
        )
        return 0.5 * (projected - full_precision(teacher.detach())).square().flatten(1).mean(dim=1)
