"""DeVOS (Fedynyak et al., WACV 2024), reconstructed from its abstract and supplement: attention that follows motion.

A frame has a fine grid (stride 16) and a coarse one (stride 32). On each, a layer reads the long-term memory of that
grid by plain attention, and the previous frame on both grids by ADVA, whose sampling locations follow optical flow
(``limpet.models.adva``). Flow is also embedded into queries and keys (``limpet.models.grid_layer``).

Identities, their shuffling and the decoder are those of AOT. docs/devos.md lists what the authors say and what was
decided here. The order of calls is explained in ``limpet.models.base``.

Legend: B batch; T frames; M tokens of one frame on a grid; C channels; h w feature cells; H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from limpet.attention_map import AttentionMap, MapKind, SamplingMap, check_request
from limpet.core.tracker_protocol import FlowName
from limpet.memory import LayerMemory, Memory
from limpet.models.adva import ADVA, COARSE, FINE, ADVAConfig, SourceMap, weights_at
from limpet.models.associating import AssociatingModel
from limpet.models.base import Features, ModelConfig
from limpet.models.blocks import as_plane, as_tokens
from limpet.models.grid_layer import GridLayer
from limpet.models.motion import (
    STRIDE,
    FlowEncoder,
    Motion,
    coarse_size,
    match_flow,
    to_coarse,
    to_fine,
)
from limpet.models.transformer import TransformerConfig, sine_position

SCALES = (FINE, COARSE)
NORM_GROUPS = 8

Pair = tuple[Tensor, Tensor]
"""Tokens of a frame (B, M, C), on the fine grid and on the coarse one."""


@dataclass(frozen=True)
class DeVOSConfig(ModelConfig):
    """A member of the family; the other fields are those of ModelConfig.

    layers: two per block, one for each grid.
    flow: where optical flow comes from: "dis" (from images, outside the network), "match" (from features, by itself)
        or "none". Weights fit all three.
    transformer: widths of the layers.
    adva: of the short-term attention; None reads a plain window of the previous frame instead, as AOT does, so that
        flow has an effect by the embedding alone. transformer.window_radius is for this alone.
    """

    layers: int = 2
    long_term_gap: int | None = 5
    long_term_frames: int | None = 4
    flow: FlowName = "dis"
    transformer: TransformerConfig = field(default_factory=TransformerConfig)
    adva: ADVAConfig | None = field(default_factory=ADVAConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layers % 2:
            raise ValueError(
                f"layers is {self.layers}, expected an even number: each block has one for each grid"
            )

    def build(self) -> DeVOS:
        """The network with random weights."""
        return DeVOS(self)


class SceneTokens(NamedTuple):
    """A frame before the layers: tokens on both grids, their positions (M, C), and the sizes of the grids."""

    tokens: list[Tensor]
    positions: tuple[Tensor, Tensor]
    sizes: tuple[tuple[int, int], tuple[int, int]]


class DeVOS(AssociatingModel):
    """Encoder, identity bank, flow encoder, layers on two grids, and decoder."""

    config: DeVOSConfig

    def __init__(self, config: DeVOSConfig) -> None:
        channels = config.transformer.channels
        super().__init__(config, channels, normalise_identity=False)
        self.coarse = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.coarse_norm = nn.GroupNorm(NORM_GROUPS, channels)
        self.flow_encoder = FlowEncoder(channels, config.align_corners)
        self.layers = nn.ModuleList(
            GridLayer(config.transformer, config.adva, number % 2) for number in range(config.layers)
        )
        self.output_norms = nn.ModuleList(nn.LayerNorm(channels) for _ in SCALES)
        self.decoder = self.make_decoder(2 * channels, channels)
        self.initialise(zeros="relative.value")
        for layer in self._all_layers():  # training begins as if there were no flow and no offsets
            nn.init.zeros_(layer.flow_projection.weight)
            if isinstance(layer.short_term, ADVA):
                layer.short_term.zero()

    @property
    def flow_encoders(self) -> tuple[nn.Module, ...]:
        """The one; phase 2 of the paper's training freezes it."""
        return (self.flow_encoder,)

    def identify(self, planes: Tensor) -> Tensor:
        """Masks as planes (B, S, H, W) -> identity embeddings (B, M, C) of the fine grid and then of the coarse one."""
        size = (-(-planes.shape[2] // STRIDE), -(-planes.shape[3] // STRIDE))
        fine: Tensor = self.id_bank(planes)
        return torch.cat([fine, as_tokens(to_coarse(as_plane(fine, size)))], dim=1)

    def refer(self, features: Features, id_embedding: Tensor) -> tuple[Tensor, tuple[Tensor, ...], Memory]:
        """A frame with known masks, which is its own memory and does not move.

        Returns:
            tokens (B, 2C, h, w) for the decoder, what the layers observed, and the memory of the frame.
        """
        scene = self._begin(features)
        motion = self.flow_encoder(_no_flow(features))
        identities = id_embedding.split([tokens.shape[1] for tokens in scene.tokens], dim=1)
        tokens, pending, memory = scene.tokens, [], []
        for block in self._blocks():
            tokens = self._observe(block, tokens, scene)
            own = [
                layer.remember(seen, identity)
                for layer, seen, identity in zip(block, tokens, identities, strict=True)
            ]
            pending += tokens
            memory += own
            tokens = self._read(block, tokens, own, own, motion, scene, None)
        return self._finish(tokens, scene), tuple(pending), Memory(tuple(memory))

    def propagate(
        self, features: Features, long_term: Memory, short_term: Memory, memory_mask: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """A frame with unknown masks.

        Args:
            features: ``flow`` is read unless the network finds it by itself; None is no flow.
            memory_mask: (B, T), 1 for each of the T frames of ``long_term`` that is to be read, else 0; None reads
                all of them.

        Returns:
            tokens (B, 2C, h, w) for the decoder, and what the layers observed for ``remember``.
        """
        scene = self._begin(features)
        tokens, pending, motion = scene.tokens, [], None
        for number, block in enumerate(self._blocks()):
            tokens = self._observe(block, tokens, scene)
            pending += tokens
            if motion is None:
                motion = self.flow_encoder(self._flow(features, tokens[FINE], short_term[FINE].key))
            long, short = (
                [memory[2 * number + scale] for scale in SCALES] for memory in (long_term, short_term)
            )
            tokens = self._read(block, tokens, long, short, motion, scene, memory_mask)
        return self._finish(tokens, scene), tuple(pending)

    def remember(self, pending: Sequence[Tensor], id_embedding: Tensor) -> Memory:
        """The memory of a propagated frame, now that its masks are known."""
        identities = id_embedding.split([seen.shape[1] for seen in pending[:2]], dim=1)
        return Memory(
            tuple(
                layer.remember(seen, identities[layer.scale])
                for layer, seen in zip(self._all_layers(), pending, strict=True)
            )
        )

    def attention_map(
        self,
        pending: Sequence[Tensor],
        long_term: Memory,
        size: tuple[int, int],
        layer: int = -1,
        kind: MapKind = "long-term",
    ) -> AttentionMap:
        """The mean of the heads' long-term maps in one layer; see ``Model.attention_map``.

        Odd layers are those of the coarse grid: a feature cell reads what the coarse cell nearest to it reads.
        """
        check_request(layer, kind, self.config.layers, ("long-term",))
        module, seen = self._all_layers()[layer], pending[layer]
        query, key = module.query(module.norm(seen)), module.key(module.norm(long_term[layer].key))
        weights = module.long_term.weights(query, key)
        if module.scale == FINE:
            return AttentionMap(weights, size, None)
        coarse = coarse_size(size)
        rows, columns = (torch.arange(side, device=weights.device) // 2 for side in size)
        nearest = (rows[:, None] * coarse[1] + columns).flatten()
        return AttentionMap(weights[:, nearest], coarse, None)

    def sampling_map(
        self, features: Features, pending: Sequence[Tensor], short_term: Memory, layer: int
    ) -> SamplingMap:
        """Where the fine cells read both grids in the block of ``layer``; see ``Model.sampling_map``."""
        check_request(layer, "long-term", self.config.layers)
        first = layer % self.config.layers // 2 * 2
        block, previous = self._all_layers()[first : first + 2], short_term.layers[first : first + 2]
        flow = self._flow(features, pending[FINE], short_term[FINE].key)
        fine = block[FINE].short_term
        if not isinstance(fine, ADVA):
            return SamplingMap(flow.float())
        motion, sizes = self.flow_encoder(flow), (features.size, coarse_size(features.size))
        query = block[FINE].moving_query(pending[first], motion)
        maps = self._previous_maps(block, previous, motion, sizes)
        places = fine.sampling_locations(query, motion.to_previous[FINE], features.size)
        weights, _ = weights_at(query, [maps[source] for source in fine.sources], places, fine.bias)
        locations = [where * 2**source for where, source in zip(places, fine.sources, strict=True)]
        split = weights.float().unflatten(2, (len(places), -1))  # B M R P heads
        return SamplingMap(flow.float(), torch.stack(locations, dim=3), split.permute(0, 4, 1, 2, 3))

    def _all_layers(self) -> list[GridLayer]:
        return [cast(GridLayer, layer) for layer in self.layers]

    def _blocks(self) -> Iterator[list[GridLayer]]:
        layers = self._all_layers()
        return (layers[first : first + 2] for first in range(0, len(layers), 2))

    def _begin(self, features: Features) -> SceneTokens:
        coarse = self.coarse_norm(self.coarse(features.tokens))
        sizes = (features.size, coarse_size(features.size))
        tokens = [as_tokens(features.tokens), as_tokens(coarse)]
        fine, rough = (
            sine_position(size, each.shape[2], each.device).to(each.dtype)
            for size, each in zip(sizes, tokens, strict=True)
        )
        return SceneTokens(tokens, (fine, rough), sizes)

    def _flow(self, features: Features, current: Tensor, previous: Tensor) -> Tensor:
        """(B, 4, H/4, W/4) in pixels."""
        if self.config.flow == "match":
            shape = features.at_4.shape[-2:]
            return match_flow(current, previous, features.size, shape, self.config.align_corners)
        return _no_flow(features) if features.flow is None else features.flow

    @staticmethod
    def _observe(block: Sequence[GridLayer], tokens: Sequence[Tensor], scene: SceneTokens) -> list[Tensor]:
        return [
            layer.observe(each, position)
            for layer, each, position in zip(block, tokens, scene.positions, strict=True)
        ]

    @staticmethod
    def _read(
        block: Sequence[GridLayer],
        tokens: Sequence[Tensor],
        long_term: Sequence[LayerMemory],
        short_term: Sequence[LayerMemory],
        motion: Motion,
        scene: SceneTokens,
        memory_mask: Tensor | None,
    ) -> list[Tensor]:
        previous = DeVOS._previous_maps(block, short_term, motion, scene.sizes)
        return [
            layer(each, memory, previous, motion, size, memory_mask)
            for layer, each, memory, size in zip(block, tokens, long_term, scene.sizes, strict=True)
        ]

    @staticmethod
    def _previous_maps(
        block: Sequence[GridLayer],
        short_term: Sequence[LayerMemory],
        motion: Motion,
        sizes: tuple[tuple[int, int], tuple[int, int]],
    ) -> list[SourceMap]:
        return [
            SourceMap(layer.moving_key(memory, motion), memory.value, size)
            for layer, memory, size in zip(block, short_term, sizes, strict=True)
        ]

    def _finish(self, tokens: Sequence[Tensor], scene: SceneTokens) -> Tensor:
        """Both grids side by side on the fine one: (B, 2C, h, w)."""
        fine, coarse = (
            as_plane(norm(each), size)
            for norm, each, size in zip(self.output_norms, tokens, scene.sizes, strict=True)
        )
        return torch.cat([fine, to_fine(coarse, scene.sizes[FINE])], dim=1)


def _no_flow(features: Features) -> Tensor:
    at_4 = features.at_4
    return at_4.new_zeros(at_4.shape[0], 4, *at_4.shape[2:])


def devos_t() -> DeVOSConfig:
    """DeVOS-T: MobileNetV2, one block; not of the paper, for processors without a GPU."""
    return DeVOSConfig(layers=2)


def devos_b() -> DeVOSConfig:
    """DeVOS-B: ResNet-50, two blocks."""
    return DeVOSConfig(encoder="resnet-50", layers=4)


def devos_l() -> DeVOSConfig:
    """DeVOS-L: Swin-B, three blocks; the authors' encoder is another vision transformer."""
    return DeVOSConfig(encoder="swin-b", layers=6)
