"""The identity bank: turns the masks of several objects into one embedding (AOT, section 3.2).

Legend: B batch; S id slots, background first; C channels; H W pixels; h w feature cells.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def one_hot(masks: Tensor, slots: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """(B, H, W) integer slots 0..slots-1 -> one-hot (B, slots, H, W); background (0) is a slot of its own."""
    values = torch.arange(slots, device=masks.device, dtype=masks.dtype).view(1, slots, 1, 1)
    return (masks.unsqueeze(1) == values).to(dtype)


class IdBank(nn.Module):
    """One learned vector for each slot and pixel of a patch; the embedding of a patch is the sum over its pixels.

    Args:
        max_objects: S - 1.
        channels: C.
        align_corners: for images of 16k + 1 pixels patches are 17 x 17 and centred on the feature cells; for others
            they are 16 x 16 and lie side by side.
        normalise: whether a LayerNorm follows; DeAOT has one and AOT does not.
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
        """Planes (B, at most S, H, W) in 0..1, missing ones being empty -> (B, h*w, C)."""
        weight = self.patches.weight[:, : planes.shape[1]]
        cells = F.conv2d(planes, weight, self.patches.bias, self.patches.stride, self.patches.padding)
        embedding: Tensor = self.norm(cells.flatten(2).transpose(1, 2))
        return embedding
