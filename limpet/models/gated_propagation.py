"""The gated propagation module (DeAOT, section 4.3): two branches, visual and identity, that share attention maps.

The order inside a module is: long-term and short-term propagation together, then self-propagation. The branches
travel side by side: values are (visual, identity) concatenated, gates too.

With ``PropagationConfig.deformable`` it is the gated deformable propagation module (GDPM): long-term and
self-propagation read at moved reference points instead of at every token (see ``limpet.models.deformable``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.models.attention import attend, attend_locally, attention_weights, padding_bias
from limpet.models.blocks import DepthwiseConv2d, DropPath
from limpet.models.deformable import DeformableConfig, DeformableSampling, sample_memory, sample_tokens
from limpet.state import LayerMemory


class Projection(NamedTuple):
    """The current frame as one layer sees it, before any identity is known.

    key (B, M, A) is query and key at once; value (B, M, E) the visual value; gate (B, M, 2E); id_source (B, M, C)
    is what the identity value is made from besides the id embedding, None in the first layer. own (B, M, 2C) is what
    self-propagation reads, known once the layer has run.
    """

    key: Tensor
    value: Tensor
    gate: Tensor
    id_source: Tensor | None
    own: Tensor | None = None


@dataclass(frozen=True)
class PropagationConfig:
    """Widths of the gated propagation: C, A, E and the reach of the short-term window in feature cells.

    deformable: how long-term and self-propagation lay and move their reference points; None reads every token.
    """

    channels: int = 256
    attention_channels: int = 128
    value_channels: int = 512
    window_reach: int = 7
    output_dropout: float = 0.1
    drop_path: float = 0.1
    deformable: DeformableConfig | None = None

    def __post_init__(self) -> None:
        if min(self.channels, self.attention_channels, self.value_channels) < 1 or self.window_reach < 0:
            raise ValueError(f"widths must be positive and the window's reach not negative: {self}")
        groups = self.deformable.groups if self.deformable is not None else 1
        if any(width % groups for width in (self.channels, self.attention_channels, self.value_channels)):
            raise ValueError(f"every width must be a multiple of the {groups} groups: {self}")


class Reading(NamedTuple):
    """What an attention reads: key (B, K, A) and value (B, K, 2E); places float32 (B, S, n, 2), (row, column) in
    cells, are where keys were sampled, None where K counts every token of the memory."""

    key: Tensor
    value: Tensor
    places: Tensor | None


class GatedOutput(nn.Module):
    """Gate, 5x5 depth-wise convolution, projection: what follows every attention here."""

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
        filled: Tensor | None = None,
    ) -> Tensor:
        """Query (B, h*w, A) -> (B, h*w, 2C); ``filled`` (B, F) as of ``padding_bias``."""
        seen = self.read(query, memory, size)
        bias = None if filled is None else padding_bias(filled, seen.key.shape[1] // filled.shape[1], query)
        return super().forward(attend(query * self.scale, seen.key, seen.value, bias), gate, size)

    def read(self, query: Tensor, memory: LayerMemory, size: tuple[int, int]) -> Reading:
        """The keys and values that a query of the current frame meets."""
        if self.sampling is None:
            return Reading(memory.key, memory.value, None)
        places = self.sampling.places(query, size)
        key, value = (
            sample_memory(memory.key, places, size),
            sample_memory(memory.value, places, size, parts=2),
        )
        return Reading(key, value, places)

    def weights(
        self, query: Tensor, memory: LayerMemory, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor | None]:
        """The attention map (B, h*w, K) and the places of its keys, as of Reading."""
        if self.sampling is None:
            return attention_weights(query * self.scale, memory.key), None
        places = self.sampling.places(query, size)
        return attention_weights(query * self.scale, sample_memory(memory.key, places, size)), places


class ShortTermPropagation(GatedOutput):
    """Reads the previous frame in a window around each place, with a learned score for each offset."""

    def __init__(self, config: PropagationConfig) -> None:
        super().__init__(config)
        self.scale = config.attention_channels**-0.5
        self.relative = nn.Linear(config.attention_channels, (2 * config.window_reach + 1) ** 2)

    def forward(  # type: ignore[override]
        self, query: Tensor, memory: LayerMemory, gate: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """Query (B, h*w, A) -> (B, h*w, 2C). The scores of offsets come from the query before it is scaled."""
        scaled = query * self.scale
        attended = attend_locally(scaled, memory.key, memory.value, self.relative(query), size)
        return super().forward(attended, gate, size)


class SelfPropagation(GatedOutput):
    """Attention of the frame to itself; one map from both branches, values and gates of each branch apart."""

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
        """The attention map (B, h*w, K) and the places of its keys, as of Reading."""
        query, key, _, places = self._query_and_key(own, size)
        return attention_weights(query * self.scale, key), places

    def _query_and_key(
        self, own: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Query (B, M, A), key (B, K, A), the features (B, K, 2C) that values are made from, and their places."""
        query = self.query_key(own)
        if self.sampling is None:
            return query, query, own, None
        places = self.sampling.places(query, size)
        # Each branch is cut into groups: features are re-sampled first and projected then (eq. 5).
        source = sample_tokens(own, places.repeat(1, 2, 1, 1), size)
        return query, self.query_key(source), source, places


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
        """Branches (B, M, C), identity None in the first layer -> what this layer needs of the frame."""
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
        """Join a frame's projection with the embedding (B, M, C) of its masks into a memory of it."""
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
        filled: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Projection]:
        """Branches (B, h*w, C) before the layer -> branches after it, and the projection with its ``own``."""
        read = self.long_term(projection.key, long_term, projection.gate, size, filled)
        read = read + self.short_term(projection.key, short_term, projection.gate, size)
        visual_read, id_read = read.chunk(2, dim=-1)
        visual = visual + visual_read
        identity = id_read if identity is None else identity + id_read
        own = torch.cat([self.self_norm(visual), self.self_id_norm(identity)], dim=-1)
        visual_own, id_own = self.drop_path(self.self_propagation(own, size)).chunk(2, dim=-1)
        return visual + visual_own, identity + id_own, projection._replace(own=own)
