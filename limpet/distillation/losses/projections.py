"""Hints (FitNets, Romero et al. 2015): the student's features, projected, should equal the teacher's."""

from __future__ import annotations

import torch
import torch.nn.functional as F
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


class ProjectorEnsembleLoss(nn.Module):
    """1 - cosine between the teacher's features and the mean of several projections of the student's.

    Each projector is one linear map and a ReLU; all are alike but for their random start, which is what
    makes the ensemble diverse. They are trained along with the student and thrown away afterwards. In PEFD a sample is
    a pooled image; here it is a cell of the feature map.

    The ReLU suits features that are never negative, as those of the paper. Where the teacher's features have both
    signs the cosine cannot come near 1 with it: pass ``relu=False``.
    """

    def __init__(
        self, student_channels: int, teacher_channels: int, projectors: int = 3, relu: bool = True
    ) -> None:
        super().__init__()
        if projectors < 1:
            raise ValueError(f"projectors is {projectors}, expected at least 1 (the paper has 3)")
        self.projectors = nn.ModuleList(
            nn.Conv2d(student_channels, teacher_channels, 1) for _ in range(projectors)
        )
        self.relu = relu

    def project(self, student: Tensor) -> Tensor:
        """Mean of the projections, (B, student_channels, h, w) -> (B, teacher_channels, h, w)."""
        projections = [projector(student) for projector in self.projectors]
        if self.relu:
            projections = [F.relu(projection) for projection in projections]
        return torch.stack(projections).mean(dim=0)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compare directions of features.

        Args:
            student: (B, student_channels, h, w).
            teacher: (B, teacher_channels, h, w) of the same frames; it gets no gradient.

        Returns:
            (B,) in [0, 2].

        Raises:
            ValueError: batch, size or the teacher's channels differ from what was expected.
        """
        projected = full_precision(self.project(student))
        expect_same(
            "projected and the teacher's features",
            projected.shape,
            teacher.shape,
            "resize one map to the other",
        )
        cosine = F.cosine_similarity(projected, full_precision(teacher.detach()), dim=1)  # B h w
        return 1 - cosine.flatten(1).mean(dim=1)
