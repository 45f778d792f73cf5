"""The gated propagation module (DeAOT, section 4.3): two branches, visual and identity, that share attention maps.

The order inside a module is: long-term and short-term propagation together, then self-propagation. The branches
travel side by side: values are (visual, identity) concatenated, gates too.

With ``PropagationConfig.deformable`` it is the gated deformable propagation module (GDPM): long-term and
self-propagation read at moved reference points instead of at every token (see ``limpet.models.deformable``).

Legend: B batch; T frames; M tokens of one frame, M = h*w; h w feature cells; C channels of a branch; A those of queries
and keys; E those of a branch's values; K keys that a query meets; G channel groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.memory import LayerMemory
from limpet.models.attention import attend, attend_locally, attention_weights, padding_bias
from limpet.models.blocks import DepthwiseConv2d, DropPath
from limpet.models.deformable import DeformableConfig, DeformableSampling, sample_memory, sample_tokens


class Projection(NamedTuple):
    """The current frame as one layer sees it, before any identity is known.

    key: (B, M, A), query and key at once.
    value: (B, M, E), the visual value. gate: (B, M, 2E).
    id_source: (B, M, C), what the identity value is made from besides the id embedding; None in the first layer.
    own: (B, M, 2C), what self-propagation reads; known once the layer has run.
    """

    key: Tensor
    value: Tensor
    gate: Tensor
    id_source: Tensor | None
    own: Tensor | None = None


@dataclass(frozen=True)
class PropagationConfig:
    """Sizes of a gated propagation module.

    channels, attention_channels, value_channels: C, A and E.
    window_radius: the short-term window has 2 * window_radius + 1 cells along each axis.
    output_dropout: probability that a channel is zero in training, after each attention.
    drop_path: probability that self-propagation is skipped in training.
    deformable: how long-term and self-propagation lay and move their reference points; None reads every token.
    """

    channels: int = 256
    attention_channels: int = 128
    value_channels: int = 512
    window_radius: int = 7
    output_dropout: float = 0.1
    drop_path: float = 0.1
    deformable: DeformableConfig | None = None

    def __post_init__(self) -> None:
        if min(self.channels, self.attention_channels, self.value_channels) < 1 or self.window_radius < 0:
            raise ValueError(f"widths must be positive and window_radius not negative: {self}")
        groups = self.deformable.groups if self.deformable is not None else 1
        if any(width % groups for width in (self.channels, self.attention_channels, self.value_channels)):
            raise ValueError(f"every width must be a multiple of the {groups} groups: {self}")


class Reading(NamedTuple):
    """What an attention reads: key (B, K, A) and value (B, K, 2E).

    sampling_locations: float32 (B, G, points, 2), (row, column) in cells, where keys were sampled; None where K counts
        every token of the memory.
    """

    key: Tensor
    value: Tensor
    sampling_locations: Tensor | None


class GatedOutput(nn.Module):
    """What follows every attention here: gate, 5x5 depth-wise convolution, projection."""

    def __init__(self, config: PropagationConfig) -> None:
        super().__init__()
        width = 2 * config.value_channels
        self.depthwise = DepthwiseConv2d(width, 5)
        self.dropout = nn.Dropout2d(config.output_dropout)
        self.projection = nn.Linear(width, 2 * config.channels)

    def forward(self, attended: Tensor, gate: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, M, 2E) attended values and gate -> (B, M, 2C), visual channels first."""
        plane = (attended * gate).unflatten(1, size).permute(0, 3, 1, 2)  # B 2E h w, channels last in memory
        mixed = self.dropout(self.depthwise(plane))
        output: Tensor = self.projection(mixed.permute(0, 2, 3, 1).flatten(1, 2))
        return output


class LongTermPropagation(GatedOutput):
    """Reads the long-term memory: every token, or re-sampled keys and values (eqs. 5 and 6).

    A memory holds keys and activated values, and these are re-sampled: for keys the same as projecting re-sampled
    features, since sampling and a linear map commute; for values it differs in the activation, and stays cheap.
    """

    def __init__(self, config: PropagationConfig) -> None:
        super().__init__(config)
        self.scale = config.attention_channels**-0.5
        self.sampling = _sampling(config)

    def forward(  # type: ignore[override]
        self,
        query: Tensor,
        memory: LayerMemory,
        gate: Tensor,
        size: tuple[int, int],
        memory_mask: Tensor | None = None,
    ) -> Tensor:
        """Query (B, M, A), gate (B, M, 2E), memory_mask (B, T) as for ``padding_bias`` -> (B, M, 2C)."""
        read = self.read(query, memory, size)
        keys = 0 if memory_mask is None else read.key.shape[1] // memory_mask.shape[1]  # of one frame
        bias = padding_bias(memory_mask, keys, query)
        return super().forward(attend(query * self.scale, read.key, read.value, bias), gate, size)

    def read(self, query: Tensor, memory: LayerMemory, size: tuple[int, int]) -> Reading:
        """The keys and values that a query of the current frame meets."""
        if self.sampling is None:
            return Reading(memory.key, memory.value, None)
        locations = self.sampling.sampling_locations(query, size)
        key = sample_memory(memory.key, locations, size)
        return Reading(key, sample_memory(memory.value, locations, size, parts=2), locations)

    def weights(
        self, query: Tensor, memory: LayerMemory, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor | None]:
        """The attention map (B, M, K) and the sampling locations of its keys, see Reading."""
        if self.sampling is None:
            return attention_weights(query * self.scale, memory.key), None
        locations = self.sampling.sampling_locations(query, size)
        return attention_weights(query * self.scale, sample_memory(memory.key, locations, size)), locations


class ShortTermPropagation(GatedOutput):
    """Reads the previous frame in a window around each cell, with a learned logit for each offset."""

    def __init__(self, config: PropagationConfig) -> None:
        super().__init__(config)
        self.scale = config.attention_channels**-0.5
        self.relative = nn.Linear(config.attention_channels, (2 * config.window_radius + 1) ** 2)

    def forward(  # type: ignore[override]
        self, query: Tensor, memory: LayerMemory, gate: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """Query (B, M, A), gate (B, M, 2E) -> (B, M, 2C). The offsets' logits come from the query before scaling."""
        scaled = query * self.scale
        attended = attend_locally(scaled, memory.key, memory.value, self.relative(query), size)
        return super().forward(attended, gate, size)


class SelfPropagation(GatedOutput):
    """Attention of the frame to itself: one map made from both branches, values and gates of each branch's own."""

    def __init__(self, config: PropagationConfig) -> None:
        super().__init__(config)
        self.scale = config.attention_channels**-0.5
        self.query_key = nn.Linear(2 * config.channels, config.attention_channels)
        self.visual_value = nn.Linear(config.channels, config.value_channels)
        self.id_value = nn.Linear(config.channels, config.value_channels)
        self.visual_gate = nn.Linear(config.channels, config.value_channels)
        self.id_gate = nn.Linear(config.channels, config.value_channels)
        self.sampling = _sampling(config)

    def forward(self, own: Tensor, size: tuple[int, int]) -> Tensor:  # type: ignore[override]
        """Normalised branches side by side (B, M, 2C) -> (B, M, 2C)."""
        query, key, source, _ = self._query_and_key(own, size)
        visual, identity = own.chunk(2, dim=-1)
        gate = F.silu(torch.cat([self.visual_gate(visual), self.id_gate(identity)], dim=-1))
        visual, identity = source.chunk(2, dim=-1)
        value = F.silu(torch.cat([self.visual_value(visual), self.id_value(identity)], dim=-1))
        return super().forward(attend(query * self.scale, key, value), gate, size)

    def weights(self, own: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
        """The attention map (B, M, K) and the sampling locations of its keys, see Reading."""
        query, key, _, locations = self._query_and_key(own, size)
        return attention_weights(query * self.scale, key), locations

    def _query_and_key(
        self, own: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Query (B, M, A), key (B, K, A), features (B, K, 2C) that values are made from, and their locations."""
        query = self.query_key(own)
        if self.sampling is None:
            return query, query, own, None
        locations = self.sampling.sampling_locations(query, size)
        # Each branch is cut into groups; features are re-sampled before they are projected (eq. 5).
        source = sample_tokens(own, locations.repeat(1, 2, 1, 1), size)
        return query, self.query_key(source), source, locations


def _sampling(config: PropagationConfig) -> DeformableSampling | None:
    if config.deformable is None:
        return None
    return DeformableSampling(config.attention_channels, config.deformable)


class GatedPropagationModule(nn.Module):
    """One layer. The first layer has no identity branch to read yet: ``first=True`` leaves those maps out."""

    def __init__(self, config: PropagationConfig, first: bool) -> None:
        super().__init__()
        channels, values = config.channels, config.value_channels
        self.first = first
        self.deformable = config.deformable
        self.widths = (config.attention_channels, values)
        self.norm = nn.LayerNorm(channels)
        self.query_value = nn.Linear(channels, config.attention_channels + values)
        self.gate = nn.Linear(channels, values)
        self.id_value = nn.Linear(channels if first else 2 * channels, values)
        if not first:
            self.id_norm = nn.LayerNorm(channels)
            self.id_gate = nn.Linear(channels, values)
        self.long_term = LongTermPropagation(config)
        self.short_term = ShortTermPropagation(config)
        self.self_norm = nn.LayerNorm(channels)
        self.self_id_norm = nn.LayerNorm(channels)
        self.self_propagation = SelfPropagation(config)
        self.drop_path = DropPath(config.drop_path)

    def project(self, visual: Tensor, identity: Tensor | None) -> Projection:
        """Branches (B, M, C), identity None in the first layer -> the layer's projection of the frame."""
        tokens = self.norm(visual)
        key, value = self.query_value(tokens).split(self.widths, dim=-1)
        gate = F.silu(self.gate(tokens))
        if identity is None:
            # padded, not joined with ones: an exporter would store those
            open_gate = F.pad(gate, (0, gate.shape[-1]), value=1.0)
            return Projection(key, F.silu(value), open_gate, None)
        id_source = self.id_norm(identity)
        id_gate = F.silu(self.id_gate(id_source))
        return Projection(key, F.silu(value), torch.cat([gate, id_gate], dim=-1), id_source)

    def remember(self, projection: Projection, id_embedding: Tensor) -> LayerMemory:
        """Join a frame's projection with the identity embedding (B, M, C) of its masks into a memory of the frame."""
        source = projection.id_source
        joined = id_embedding if source is None else torch.cat([source, id_embedding], dim=-1)
        id_value = F.silu(self.id_value(joined))
        key = projection.key.contiguous()  # a view would keep the whole projection in memory
        return LayerMemory(key, torch.cat([projection.value, id_value], dim=-1))

    def forward(
        self,
        visual: Tensor,
        identity: Tensor | None,
        projection: Projection,
        long_term: LayerMemory,
        short_term: LayerMemory,
        size: tuple[int, int],
        memory_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Projection]:
        """One layer.

        Args:
            visual, identity: the branches (B, M, C); identity None in the first layer.
            projection: from ``project``.
            long_term: of T frames. short_term: of the previous frame.
            size: (h, w).
            memory_mask: (B, T), see ``padding_bias``.

        Returns:
            The branches after the layer, and the projection with its ``own``.
        """
        read = self.long_term(projection.key, long_term, projection.gate, size, memory_mask)
        read = read + self.short_term(projection.key, short_term, projection.gate, size)
        visual_read, id_read = read.chunk(2, dim=-1)
        visual = visual + visual_read
        identity = id_read if identity is None else identity + id_read
        own = torch.cat([self.self_norm(visual), self.self_id_norm(identity)], dim=-1)
        visual_own, id_own = self.drop_path(self.self_propagation(own, size)).chunk(2, dim=-1)
        return visual + visual_own, identity + id_own, projection._replace(own=own)
