"""The long short-term transformer (LSTT) block of AOT, section 3.3, and the sine position embedding that it adds.

The order inside a block is: self-attention, then long-term and short-term attention together, then a feed-forward
part that also mixes neighbouring cells.

Legend: B batch; T frames; M tokens of one frame, M = h*w; C channels; h w feature cells.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.memory import LayerMemory
from limpet.models.attention import padding_bias
from limpet.models.blocks import DepthwiseConv2d, DropPath
from limpet.models.multi_head import LocalAttention, MultiHeadAttention, SelfAttention

NORM_GROUPS = 32  # of the feed-forward part
LONGEST_WAVE = 10_000.0  # of the sine positions; "Attention is all you need", section 3.5
FULL_TURN = 2 * math.pi  # what the angle grows to along either axis, whatever the size of the map


class Observation(NamedTuple):
    """The current frame as one block sees it, before any identity is known.

    key (B, M, C) is query and key at once; source (B, M, C) is what the value is made from besides the id embedding.
    """

    key: Tensor
    source: Tensor


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes of a block.

    channels: C.
    heads: of every attention; they share the channels evenly.
    hidden_channels: inner width of the feed-forward part.
    window_radius: the short-term window has 2 * window_radius + 1 cells along each axis.
    drop_path: probability that a residual branch is skipped in training.
    """

    channels: int = 256
    heads: int = 8
    hidden_channels: int = 1024
    window_radius: int = 7
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        if min(self.channels, self.heads, self.hidden_channels) < 1 or self.window_radius < 0:
            raise ValueError(f"widths must be positive and window_radius not negative: {self}")
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
        # B hidden h w, channels last in memory
        plane = self.expand(tokens).unflatten(1, size).permute(0, 3, 1, 2)
        mixed = self.depthwise(F.gelu(self.norm(plane)))
        output: Tensor = self.contract(mixed.permute(0, 2, 3, 1).flatten(1, 2))
        return output


class LongShortTermBlock(nn.Module):
    """One block: ``observe`` comes first, ``remember`` makes a memory of the result, and ``forward`` reads memories."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        channels, heads = config.channels, config.heads
        self.self_norm = nn.LayerNorm(channels)
        self.self_attention = SelfAttention(channels, heads)
        self.memory_norm = nn.LayerNorm(channels)
        self.query_key = nn.Linear(channels, channels)
        self.memory_value = nn.Linear(channels, channels)
        self.long_term = MultiHeadAttention(channels, heads)
        self.short_term = LocalAttention(channels, heads, config.window_radius)
        self.feed_forward_norm = nn.LayerNorm(channels)
        self.feed_forward = FeedForward(config)
        self.drop_path = DropPath(config.drop_path)

    def observe(self, tokens: Tensor, position: Tensor) -> tuple[Tensor, Observation]:
        """Tokens (B, M, C) and positions (M, C) -> tokens after self-attention, and the block's observation."""
        tokens = tokens + self.drop_path(self.self_attention(self.self_norm(tokens), position))
        source = self.memory_norm(tokens)
        return tokens, Observation(self.query_key(source), source)

    def remember(self, observation: Observation, id_embedding: Tensor) -> LayerMemory:
        """Join an observation with the identity embedding (B, M, C) of its masks into a memory of the frame (eq. 4)."""
        return LayerMemory(observation.key, self.memory_value(observation.source + id_embedding))

    def forward(
        self,
        tokens: Tensor,
        observation: Observation,
        long_term: LayerMemory,
        short_term: LayerMemory,
        size: tuple[int, int],
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """Tokens (B, M, C) as ``observe`` returned them -> tokens after the block.

        Args:
            long_term: of T frames. short_term: of the previous frame.
            size: (h, w).
            memory_mask: (B, T), see ``padding_bias``.
        """
        query = observation.key
        bias = padding_bias(memory_mask, query.shape[1], query)
        long = self.long_term(query, long_term.key, long_term.value, bias)
        short = self.short_term(query, short_term.key, short_term.value, size)
        tokens = tokens + long + short
        tokens = tokens + self.drop_path(self.feed_forward(self.feed_forward_norm(tokens), size))
        return tokens


def sine_position(size: tuple[int, int], channels: int, device: torch.device | str = "cpu") -> Tensor:
    """The position of each cell of a map, as sines and cosines of many wave lengths (Carion et al., 2020).

    Args:
        size: (h, w) in cells.
        channels: C, a multiple of 4; the first half describes the row, the second half the column.

    Returns:
        (h*w, C) float32 in [-1, 1], row-major over the map.
    """
    if channels % 4:
        raise ValueError(
            f"channels is {channels}, expected a multiple of 4: a position has a sine and a cosine for each axis"
        )
    height, width = size
    rows = _waves(height, channels // 2, device)[:, None].expand(-1, width, -1)
    columns = _waves(width, channels // 2, device)[None].expand(height, -1, -1)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)


def _waves(length: int, channels: int, device: torch.device | str) -> Tensor:
    """(length, channels): sine and cosine in turn, the waves of each pair longer than those of the pair before."""
    cell = torch.arange(length, device=device) / (length - 1 + 1e-6) * FULL_TURN
    pair = torch.arange(channels // 2, device=device) * 2 / channels
    angle = cell[:, None] / LONGEST_WAVE**pair
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
