"""The long short-term transformer block (AOT, section 3.3).

The order inside a block is: self-attention, then long-term and short-term attention together, then a feed-forward
part that also looks at neighbouring places.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.models.attention import padding_bias
from limpet.models.blocks import DepthwiseConv2d, DropPath
from limpet.models.multi_head import LocalAttention, MultiHeadAttention, SelfAttention
from limpet.state import LayerMemory

NORM_GROUPS = 32  # of the feed-forward part


class Observation(NamedTuple):
    """The current frame as one block sees it, before any identity is known.

    key (B, M, C) is query and key at once; source (B, M, C) is what the value is made from besides the id embedding.
    """

    key: Tensor
    source: Tensor


@dataclass(frozen=True)
class TransformerConfig:
    """channels C; heads of every attention; hidden width of the feed-forward part; reach of the short-term window."""

    channels: int = 256
    heads: int = 8
    hidden_channels: int = 1024
    window_reach: int = 7
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        if min(self.channels, self.heads, self.hidden_channels) < 1 or self.window_reach < 0:
            raise ValueError(f"widths must be positive and the window's reach not negative: {self}")
        if self.channels % self.heads or self.channels % 4 or self.hidden_channels % NORM_GROUPS:
            raise ValueError(
                f"channels must be a multiple of 4 and of the heads, hidden_channels of {NORM_GROUPS}: {self}"
            )


class FeedForward(nn.Module):
    """Two linear maps; between them norm, GELU and a 5x5 depth-wise convolution (appendix A)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.expand = nn.Linear(config.channels, config.hidden_channels)
        self.norm = nn.GroupNorm(NORM_GROUPS, config.hidden_channels)
        self.depthwise = DepthwiseConv2d(config.hidden_channels, 5)
        self.contract = nn.Linear(config.hidden_channels, config.channels)

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, h*w, C) -> (B, h*w, C)."""
        plane = (
            self.expand(tokens).unflatten(1, size).permute(0, 3, 1, 2)
        )  # B hidden h w, channels last in memory
        mixed = self.depthwise(F.gelu(self.norm(plane)))
        output: Tensor = self.contract(mixed.permute(0, 2, 3, 1).flatten(1, 2))
        return output


class LongShortTermBlock(nn.Module):
    """One block. ``observe`` comes first; ``remember`` makes a memory of it, and ``forward`` reads memories."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        channels, heads = config.channels, config.heads
        self.self_norm = nn.LayerNorm(channels)
        self.self_attention = SelfAttention(channels, heads)
        self.memory_norm = nn.LayerNorm(channels)
        self.query_key = nn.Linear(channels, channels)
        self.memory_value = nn.Linear(channels, channels)
        self.long_term = MultiHeadAttention(channels, heads)
        self.short_term = LocalAttention(channels, heads, config.window_reach)
        self.feed_forward_norm = nn.LayerNorm(channels)
        self.feed_forward = FeedForward(config)
        self.drop_path = DropPath(config.drop_path)

    def observe(self, tokens: Tensor, position: Tensor) -> tuple[Tensor, Observation]:
        """Tokens (B, h*w, C) and positions (h*w, C) -> tokens after self-attention, and what this block keeps."""
        tokens = tokens + self.drop_path(self.self_attention(self.self_norm(tokens), position))
        source = self.memory_norm(tokens)
        return tokens, Observation(self.query_key(source), source)

    def remember(self, seen: Observation, id_embedding: Tensor) -> LayerMemory:
        """Join an observation with the embedding (B, M, C) of its masks into a memory of the frame (eq. 4)."""
        return LayerMemory(seen.key, self.memory_value(seen.source + id_embedding))

    def forward(
        self,
        tokens: Tensor,
        seen: Observation,
        long_term: LayerMemory,
        short_term: LayerMemory,
        size: tuple[int, int],
        filled: Tensor | None = None,
    ) -> Tensor:
        """Tokens (B, h*w, C) as ``observe`` returned them -> tokens after it; ``filled`` as of ``padding_bias``."""
        bias = padding_bias(filled, seen.key.shape[1], seen.key)
        distant = self.long_term(seen.key, long_term.key, long_term.value, bias)
        recent = self.short_term(seen.key, short_term.key, short_term.value, size)
        tokens = tokens + distant + recent
        tokens = tokens + self.drop_path(self.feed_forward(self.feed_forward_norm(tokens), size))
        return tokens


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
