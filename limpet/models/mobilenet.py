"""MobileNetV2 (Sandler et al., 2018) as an encoder of output stride 16.

The last stage that halves the map is dilated instead, so that the deepest map keeps stride 16; or it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from limpet.models.blocks import DepthwiseConv2d
from limpet.models.frozen_norm import FrozenBatchNorm2d, freeze
from limpet.models.fused_convolution import in_one_pass, rectified

STEM_CHANNELS = 32
LAST_CHANNELS = 1280

# Table 2 of the paper, with the dilation of this encoder: (expansion, channels, stride, dilations).
# The first block of the 160-channel group keeps dilation 1: it is the one whose stride 2 was taken away.
GROUPS = (
    (1, 16, 1, (1,)),
    (6, 24, 2, (1, 1)),
    (6, 32, 2, (1, 1, 1)),
    (6, 64, 2, (1, 1, 1, 1)),
    (6, 96, 1, (1, 1, 1)),
    (6, 160, 1, (1, 2, 2)),
    (6, 320, 1, (2,)),
)
HALVED_ON_IMAGENET = 160  # channels of the group whose stride of 2 was taken away
# The indices into ``features`` at which a stage ends: the stem, then strides 4, 8, 16 and the dilated 16.
STAGE_ENDS = (1, 4, 7, 14, 19)


class MobileNetV2(nn.Module):
    """Four feature maps of an image; state-dict names are torchvision's (``features.*``).

    Args:
        freeze_at: number of stages without gradient, see ``freeze``.
        inputs: channels of the image; other than 3 where it is made of masks.
        dilated: with the dilated stage. Without it the last two maps are the same, of 96 channels, and three quarters
            of the parameters are saved.
    """

    channels: tuple[int, int, int, int]

    def __init__(self, freeze_at: int = 0, inputs: int = 3, dilated: bool = True) -> None:
        super().__init__()
        self.channels = (24, 32, 96, LAST_CHANNELS if dilated else 96)
        self._ends = STAGE_ENDS if dilated else STAGE_ENDS[:4]
        stem, last = conv_norm(inputs, STEM_CHANNELS, size=3, stride=2), conv_norm(320, LAST_CHANNELS, size=1)
        self.features = nn.Sequential(*[stem, *inverted_residuals(), last][: self._ends[-1]])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        freeze(self, freeze_at)

    def stages(self) -> Sequence[nn.Module]:
        """The stem and the stages that end at strides 4, 8, 16 and, if it is there, dilated 16."""
        return [self.features[start:end] for start, end in zip((0, *self._ends), self._ends, strict=False)]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps with ``channels`` channels at strides 4, 8, 16, 16.

        Args:
            image: (B, inputs, H, W) float, ImageNet-normalised RGB; any size, halves are rounded up.
        """
        x, maps = image, []
        for index, block in enumerate(self.features, start=1):
            x = block(x)
            if index in self._ends[1:]:
                maps.append(x)
        quarter, eighth, sixteenth = maps[:3]
        return quarter, eighth, sixteenth, maps[-1]


class InvertedResidual(nn.Module):
    """Expand by 1x1, filter by 3x3 depth-wise, project by 1x1 without activation (section 3.3)."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int, dilation: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.conv = nn.Sequential()
        if expansion != 1:
            self.conv.append(conv_norm(inputs, hidden, size=1))
        self.conv.append(conv_norm(hidden, hidden, size=3, stride=stride, dilation=dilation, groups=hidden))
        self.conv.append(nn.Conv2d(hidden, outputs, 1, bias=False))
        self.conv.append(FrozenBatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class ConvNormReLU6(nn.Sequential):
    """Convolution, frozen norm and ReLU6; once the norm is folded, in one pass where that is possible."""

    def forward(self, x: Tensor) -> Tensor:
        conv, norm, _ = self
        if isinstance(norm, nn.Identity) and isinstance(conv, nn.Conv2d) and in_one_pass(conv, x):
            return rectified(conv, x, most=6.0)
        y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return y


def conv_norm(
    inputs: int, outputs: int, *, size: int, stride: int = 1, dilation: int = 1, groups: int = 1
) -> ConvNormReLU6:
    """Convolution with "same" padding, frozen norm, ReLU6."""
    padding = (size - 1) // 2 * dilation
    conv: nn.Conv2d
    if groups == outputs and dilation > 1:
        conv = DepthwiseConv2d(outputs, size, dilation)
    else:
        conv = nn.Conv2d(inputs, outputs, size, stride, padding, dilation, groups, bias=False)
    return ConvNormReLU6(conv, FrozenBatchNorm2d(outputs), nn.ReLU6(inplace=True))


def inverted_residuals(output_stride: int = 16) -> list[nn.Module]:
    """The 17 blocks between the stem and the last convolution, ``features.1`` to ``features.17``.

    Args:
        output_stride: of the deepest map, 320 channels wide. 32: as on ImageNet; 16: the last halving is
            dilated instead.
    """
    blocks: list[nn.Module] = []
    inputs, reached = STEM_CHANNELS, 2
    for expansion, outputs, stride, dilations in GROUPS:
        halves = outputs == HALVED_ON_IMAGENET and output_stride == 32
        first_stride = 2 if halves else stride
        reached *= first_stride
        for index, dilation in enumerate(dilations):
            dilation = 1 if reached == 32 else dilation
            blocks.append(
                InvertedResidual(inputs, outputs, expansion, first_stride if index == 0 else 1, dilation)
            )
            inputs = outputs
    return blocks
