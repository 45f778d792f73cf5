"""An encoder of five convolutions, for tests of everything but encoders: most of a step is the encoder otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from limpet.models.encoders import ENCODERS, EncoderEntry
from limpet.models.frozen_norm import freeze
from limpet.models.mobilenet import conv_norm

TINY = "tiny"
"""Its name in a model's configuration."""


class TinyEncoder(nn.Module):
    """Four feature maps of an image, as those of MobileNetV2 but narrow."""

    channels = (12, 16, 24, 32)

    def __init__(self, freeze_at: int = 0) -> None:
        super().__init__()
        self.stem = conv_norm(3, 8, size=3, stride=2)
        self.layers = nn.ModuleList(
            conv_norm(inputs, outputs, size=3, stride=stride)
            for inputs, outputs, stride in ((8, 12, 2), (12, 16, 2), (16, 24, 2), (24, 32, 1))
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        freeze(self, freeze_at)

    def stages(self) -> Sequence[nn.Module]:
        """The stem and the stages that end at strides 4, 8, 16 and 16."""
        return [self.stem, *self.layers]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Image (B, 3, H, W) -> maps with ``channels`` channels at strides 4, 8, 16, 16."""
        x, maps = self.stem(image), []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        quarter, eighth, sixteenth, last = maps
        return quarter, eighth, sixteenth, last


ENCODERS[TINY] = EncoderEntry(TinyEncoder, align_corners=True)
