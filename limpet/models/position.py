"""The sine position embedding of detection transformers (Carion et al., 2020), which AOT adds in self-attention."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LONGEST_WAVE = 10_000.0  # "Attention is all you need", section 3.5
FULL_TURN = 2 * math.pi  # the longest way along either axis, whatever the map's size


def sine_position(size: tuple[int, int], channels: int, device: torch.device | str = "cpu") -> Tensor:
    """Where each cell of a map lies, as sines and cosines of many wave lengths.

    Args:
        size: (h, w) in cells.
        channels: C, a multiple of 4; the first half describes the row, the second half the column.

    Returns:
        (h*w, C) float32 in [-1, 1], row-major over the map.
    """
    if channels % 4:
        raise ValueError(
            f"a position has a sine and a cosine for each axis: {channels} channels are no multiple of 4"
        )
    height, width = size
    rows = _waves(height, channels // 2, device)[:, None].expand(-1, width, -1)
    columns = _waves(width, channels // 2, device)[None].expand(height, -1, -1)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)


def _waves(length: int, channels: int, device: torch.device | str) -> Tensor:
    """(length, channels): sine and cosine by turns, each pair of a longer wave than the last."""
    place = (
        torch.arange(length, device=device) / (length - 1 + 1e-6) * FULL_TURN
    )  # the last cell has gone all round
    pair = torch.arange(channels // 2, device=device) * 2 / channels
    angle = place[:, None] / LONGEST_WAVE**pair
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
