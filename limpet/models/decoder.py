"""The feature-pyramid decoder: from propagated tokens to a logit for each slot at stride 4 (AOT, appendix A)."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class ConvNorm(nn.Module):
    """Convolution and GroupNorm of 8 groups."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = nn.GroupNorm(8, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h, w)."""
        output: Tensor = self.norm(self.conv(x))
        return output


class Decoder(nn.Module):
    """Adds the encoder's maps at strides 16, 8 and 4 on the way up."""

    def __init__(
        self,
        inputs: int,
        slots: int,
        shortcuts: Sequence[int],
        channels: int = 256,
        align_corners: bool = True,
    ) -> None:
        """``shortcuts``: widths of the encoder's maps at strides 4, 8 and 16."""
        super().__init__()
        self.align_corners = align_corners
        self.conv_in = ConvNorm(inputs, channels, 1)
        self.conv_16x = ConvNorm(channels, channels, 3)
        self.conv_8x = ConvNorm(channels, channels // 2, 3)
        self.conv_4x = ConvNorm(channels // 2, channels // 2, 3)
        self.adapter_16x = nn.Conv2d(shortcuts[2], channels, 1)
        self.adapter_8x = nn.Conv2d(shortcuts[1], channels, 1)
        self.adapter_4x = nn.Conv2d(shortcuts[0], channels // 2, 1)
        self.conv_out = nn.Conv2d(channels // 2, slots, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, tokens: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Tokens (B, inputs, h, w) and the encoder's maps at strides 4, 8, 16 -> logits (B, slots, H/4, W/4)."""
        logits: Tensor = self.conv_out(self.representation(tokens, maps))
        return logits

    def representation(self, tokens: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """What the last layer reads, (B, channels // 2, H/4, W/4); arguments as of ``forward``."""
        at_4, at_8, at_16 = maps
        x = F.relu(self.conv_in(tokens))
        x = F.relu(self.conv_16x(x + self.adapter_16x(at_16)))
        x = F.relu(self.conv_8x(self._upsample(x, at_8) + self.adapter_8x(at_8)))
        return F.relu(self.conv_4x(self._upsample(x, at_4) + self.adapter_4x(at_4)))

    def _upsample(self, x: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=self.align_corners)
