"""Feature distillation: the tokens that the two decoders read, compared as other methods do it (Table 2)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from limpet.core.errors import ModelError
from limpet.distillation.config import FeatureKind
from limpet.distillation.losses import HintLoss, ProjectorEnsembleLoss, representation_loss
from limpet.models.base import Model
from limpet.models.decoder import Decoder


def token_width(model: Model) -> int:
    """D of the tokens (B, D, h, w) that the model's decoder reads. Raises ModelError for another decoder."""
    decoder = getattr(model, "decoder", None)
    if not isinstance(decoder, Decoder):
        raise ModelError(
            f"{type(model).__name__} has no feature-pyramid decoder whose tokens could be compared"
        )
    return decoder.conv_in.conv.in_channels


class FeatureLoss(nn.Module):
    """One of "hints", "pefd" and "mobilevos"; see limpet.distillation.losses.

    The projections of the first two are trained along with the student and thrown away afterwards. Tokens have both
    signs, so that PEFD's projectors go without ReLU. MobileVOS's cells are all taken: at stride 16 there are few.

    Args:
        kind: which one.
        student, teacher: widths D of their tokens.
    """

    def __init__(self, kind: FeatureKind, student: int, teacher: int) -> None:
        super().__init__()
        self.kind = kind
        self.projected: nn.Module | None = None
        if kind == "hints":
            self.projected = HintLoss(student, teacher)
        elif kind == "pefd":
            self.projected = ProjectorEnsembleLoss(student, teacher, relu=False)

    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """Compare one frame.

        Args:
            student, teacher: tokens (B, D, h, w), each with a D of its own; the teacher's gets no gradient.
            labels: int64 (B, H, W) ids, the teacher's.

        Returns:
            Scalar, the mean over the batch.
        """
        if self.projected is not None:
            loss: Tensor = self.projected(student, teacher)
            return loss.mean()
        cells = F.interpolate(labels[:, None].float(), size=student.shape[-2:], mode="nearest")[:, 0]
        return representation_loss(student, teacher, cells.long()).mean()
