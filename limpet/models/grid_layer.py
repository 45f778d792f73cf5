"""One layer of DeVOS on one grid: what it remembers of a frame, and how it reads the past.

The long-term memory of its grid is read by plain attention, the previous frame by ADVA on both grids. Flow is embedded
into the queries and keys of the latter ("QK-flow", section 1.1 of the supplement):

    Q = LN(E_current + W F_forward),   K = LN(E_previous + W F_backward)

Legend: B batch; T frames; M tokens of one frame on a grid; C channels; h w cells.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from limpet.memory import LayerMemory
from limpet.models.adva import ADVA, ADVAConfig, SourceMap
from limpet.models.attention import padding_bias
from limpet.models.blocks import DropPath
from limpet.models.motion import Motion
from limpet.models.multi_head import LocalAttention, MultiHeadAttention, SelfAttention
from limpet.models.transformer import FeedForward, TransformerConfig


class GridLayer(nn.Module):
    """One layer of one grid: self-attention, then long-term and short-term attention together, then feed-forward."""

    def __init__(self, config: TransformerConfig, adva: ADVAConfig | None, scale: int) -> None:
        """``adva`` None reads a window of the previous frame in its place; ``scale`` is FINE or COARSE."""
        super().__init__()
        channels, heads = config.channels, config.heads
        self.self_norm = nn.LayerNorm(channels)
        self.self_attention = SelfAttention(channels, heads)
        self.norm = nn.LayerNorm(channels)
        self.flow_projection = nn.Linear(channels, channels, bias=False)
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.long_term = MultiHeadAttention(channels, heads)
        self.short_term: ADVA | LocalAttention = (
            LocalAttention(channels, heads, config.window_radius)
            if adva is None
            else ADVA(channels, heads, scale, adva)
        )
        self.feed_forward_norm = nn.LayerNorm(channels)
        self.feed_forward = FeedForward(config)
        self.drop_path = DropPath(config.drop_path)
        self.scale = scale

    def observe(self, tokens: Tensor, position: Tensor) -> Tensor:
        """Tokens (B, M, C) and positions (M, C) -> tokens after self-attention, which is what a memory keeps."""
        attended: Tensor = self.self_attention(self.self_norm(tokens), position)
        observed: Tensor = tokens + self.drop_path(attended)
        return observed

    def remember(self, observed: Tensor, id_embedding: Tensor) -> LayerMemory:
        """Join what was observed with the identity embedding (B, M, C) of its masks into a memory of the frame."""
        return LayerMemory(observed, self.value(self.norm(observed) + id_embedding))

    def moving_query(self, tokens: Tensor, motion: Motion) -> Tensor:
        """Queries (B, M, C) of the short-term attention, which know the flow to the previous frame."""
        query: Tensor = self.query(self.norm(tokens + self.flow_projection(motion.query[self.scale])))
        return query

    def moving_key(self, previous: LayerMemory, motion: Motion) -> Tensor:
        """Keys (B, M, C) of the previous frame, which know the flow to this one."""
        key: Tensor = self.key(self.norm(previous.key + self.flow_projection(motion.key[self.scale])))
        return key

    def forward(
        self,
        tokens: Tensor,
        long_term: LayerMemory,
        previous: Sequence[SourceMap],
        motion: Motion,
        size: tuple[int, int],
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """Tokens (B, M, C) as ``observe`` returned them -> tokens after the layer.

        Args:
            long_term: of T frames on this grid.
            previous: the previous frame on the fine and on the coarse grid, its keys from ``moving_key``.
            motion: see Motion.
            size: (h, w) of this grid.
            memory_mask: (B, T), see ``padding_bias``.
        """
        query = self.moving_query(tokens, motion)
        if isinstance(self.short_term, ADVA):
            short = self.short_term(query, motion.to_previous[self.scale], previous, size)
        else:
            short = self.short_term(query, previous[self.scale].key, previous[self.scale].value, size)
        bias = padding_bias(memory_mask, tokens.shape[1], tokens)
        long_key = self.key(self.norm(long_term.key))
        long = self.long_term(self.query(self.norm(tokens)), long_key, long_term.value, bias)
        tokens = tokens + long + short
        mixed: Tensor = tokens + self.drop_path(self.feed_forward(self.feed_forward_norm(tokens), size))
        return mixed
