"""How STCN remembers: masks, and in STCN itself the frame, become one value map for each object (STCN, section 3.1).

Legend: B batch; N objects; C channels; h w feature cells; H W pixels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from limpet.models.residual_decoder import ResidualBlock

REDUCTION = 16
MASKS = 2
"""The planes of each object: its own mask, and those of all others together."""


class ConvolutionalAttention(nn.Module):
    """CBAM (Woo et al., ECCV 2018): channels and then cells are weighed by what they hold themselves."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(4, channels // REDUCTION)
        self.channel_gate = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        self.spatial_gate = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        pooled = x.mean(dim=(2, 3)), x.amax(dim=(2, 3))
        weights = sum(self.channel_gate(each) for each in pooled).sigmoid()
        x = x * weights[:, :, None, None]
        planes = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], dim=1)
        return x * self.spatial_gate(planes).sigmoid()  # type: ignore[no-any-return]


class Fuser(nn.Module):
    """Joins the map of an object with that of the frame."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.block1 = ResidualBlock(inputs, outputs)
        self.attention = ConvolutionalAttention(outputs)
        self.block2 = ResidualBlock(outputs, outputs)

    def forward(self, of_object: Tensor, of_frame: Tensor) -> Tensor:
        """(B*N, C, h, w) each -> (B*N, outputs, h, w)."""
        x = self.block1(torch.cat([of_object, of_frame], dim=1))
        y: Tensor = self.block2(x + self.attention(x))
        return y


class ValueEncoder(nn.Module):
    """An encoder of masks, and the fuser.

    Args:
        encoder: reads MASKS channels, or 3 more for the image in front of them; its third map is used.
        frame_channels: of the key encoder's map at stride 16.
        channels: of the values.
    """

    def __init__(self, encoder: nn.Module, frame_channels: int, channels: int) -> None:
        super().__init__()
        self.encoder = encoder
        widths: Any = encoder.channels
        self.fuser = Fuser(widths[2] + frame_channels, channels)

    def forward(self, identity: Tensor, at_16: Tensor, image: Tensor | None) -> Tensor:
        """The value map of every object.

        Args:
            identity: (B, N, MASKS, H, W) in 0..1, each object's mask and those of all others together.
            at_16: (B, C, h, w), the key encoder's map of the frame.
            image: (B, 3, H, W) of the frame, for encoders that read it.

        Returns:
            (B*N, channels, h, w).
        """
        objects = identity.shape[1]
        if image is not None:
            image = image.unsqueeze(1).expand(-1, objects, -1, -1, -1)
            identity = torch.cat([image, identity], dim=2)
        of_object = self.encoder(identity.flatten(0, 1))[2]
        of_frame = at_16.repeat_interleave(objects, dim=0) if objects > 1 else at_16
        values: Tensor = self.fuser(of_object, of_frame)
        return values
