"""Deformable sampling as the paper prints it, and random offsets, for several tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from limpet.models.deformable import (
    OffsetNetwork,
)


def literal_sample(tokens: Tensor, locations: Tensor, size: tuple[int, int]) -> Tensor:
    """Eqs. 3 and 4 as printed: every cell is weighted by I for every location; locations are clamped to the map."""
    height, width = size
    batch, groups, count, _ = locations.shape
    width_of_group = tokens.shape[-1] // groups
    found = torch.zeros(batch, count, tokens.shape[-1], dtype=tokens.dtype)
    for b in range(batch):
        for g in range(groups):
            channels = slice(g * width_of_group, (g + 1) * width_of_group)
            for n in range(count):
                y = min(max(locations[b, g, n, 0].item(), 0.0), height - 1.0)
                x = min(max(locations[b, g, n, 1].item(), 0.0), width - 1.0)
                for i in range(height):
                    for j in range(width):
                        weight = max(0.0, 1 - abs(y - i)) * max(0.0, 1 - abs(x - j))
                        found[b, n, channels] += weight * tokens[b, i * width + j, channels]
    return found


def random_locations(size: tuple[int, int], groups: int = 2, count: int = 5, batch: int = 2) -> Tensor:
    """Some on the map, some up to two cells off it."""
    span = torch.tensor([size[0] + 3.0, size[1] + 3.0], dtype=torch.float64)
    return torch.rand(batch, groups, count, 2, dtype=torch.float64) * span - 2


def stir(module: nn.Module) -> None:
    """Random offsets, for at first all are zero."""
    for part in module.modules():
        if isinstance(part, OffsetNetwork):
            nn.init.normal_(part.offsets.weight, std=0.5)
            nn.init.normal_(part.offsets.bias, std=0.5)
