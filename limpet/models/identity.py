"""The identity bank: turns masks of up to ten objects into one embedding (AOT, section 3.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def one_hot(masks: Tensor, slots: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """(B, H, W) integer slots 0..slots-1 -> (B, slots, H, W); background (0) is a slot of its own."""
    values = torch.arange(slots, device=masks.device, dtype=masks.dtype).view(1, slots, 1, 1)
    return (masks.unsqueeze(1) == values).to(dtype)


class IdBank(nn.Module):
    """One learned vector a slot and place in a patch; the embedding of a patch is the sum over its pixels.

    With ``align_corners`` networks (sizes 16k + 1) patches are 17 x 17 and centred on the feature cells; else
    16 x 16 and side by side. ``normalise``: a LayerNorm follows (DeAOT has one, AOT has not).
    """

    def __init__(self, max_objects: int, channels: int, align_corners: bool, normalise: bool = True) -> None:
        super().__init__()
        patch = 17 if align_corners else 16
        self.patches = nn.Conv2d(
            max_objects + 1, channels, patch, stride=16, padding=8 if align_corners else 0
        )
        self.norm = nn.LayerNorm(channels) if normalise else nn.Identity()
        nn.init.orthogonal_(self.patches.weight.view(channels, -1), gain=patch**-2)
        nn.init.zeros_(self.patches.bias)  # type: ignore[arg-type]

    def forward(self, planes: Tensor) -> Tensor:
        """(B, S, H, W) shares of each slot, S <= slots (missing ones are empty) -> (B, h*w, C)."""
        weight = self.patches.weight[:, : planes.shape[1]]
        cells = F.conv2d(planes, weight, self.patches.bias, self.patches.stride, self.patches.padding)
        embedding: Tensor = self.norm(cells.flatten(2).transpose(1, 2))
        return embedding
