"""DeAOT (Yang and Yang, NeurIPS 2022): associating objects with decoupled visual and identity branches.

The order of calls is explained in ``limpet.models.base``.

Legend: B batch; T frames; M tokens of one frame, M = h*w; C channels of a branch; h w feature cells; H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import torch
from torch import Tensor, nn

from limpet.attention_map import AttentionMap, MapKind, check_request
from limpet.memory import Memory
from limpet.models.associating import AssociatingModel
from limpet.models.base import Features, ModelConfig
from limpet.models.deformable import DeformableConfig, OffsetNetwork, grid_size, reference_points
from limpet.models.gated_propagation import GatedPropagationModule, Projection, PropagationConfig


@dataclass(frozen=True)
class DeAOTConfig(ModelConfig):
    """A member of the family. propagation: the sizes of its modules; the other fields are those of ModelConfig."""

    propagation: PropagationConfig = field(default_factory=PropagationConfig)

    def build(self) -> DeAOT:
        """The network with random weights."""
        return DeAOT(self)


class DeAOT(AssociatingModel):
    """Encoder, identity bank, gated propagation and decoder."""

    config: DeAOTConfig

    def __init__(self, config: DeAOTConfig) -> None:
        channels = config.propagation.channels
        super().__init__(config, channels, normalise_identity=True)
        self.layers = nn.ModuleList(
            GatedPropagationModule(config.propagation, first=index == 0) for index in range(config.layers)
        )
        self.output_norm = nn.GroupNorm(2, 2 * channels)  # one group for each branch
        self.decoder = self.make_decoder(2 * channels, channels)
        self.initialise()
        for module in self.layers.modules():
            if isinstance(module, OffsetNetwork):
                module.zero_offsets()

    def refer(
        self, features: Features, id_embedding: Tensor
    ) -> tuple[Tensor, tuple[Projection, ...], Memory]:
        """A frame with known masks, which is its own memory.

        Returns:
            tokens (B, 2C, h, w) for the decoder, the layers' projections, and the memory of the frame.
        """
        visual, identity = features.tokens.flatten(2).transpose(1, 2), None
        pending, memory = [], []
        for layer in self.layers:
            projection = layer.project(visual, identity)  # type: ignore[operator]
            own = layer.remember(projection, id_embedding)  # type: ignore[operator]
            visual, identity, seen = layer(visual, identity, projection, own, own, features.size)
            pending.append(seen)
            memory.append(own)
        return self._finish(visual, identity, features.size), tuple(pending), Memory(tuple(memory))

    def propagate(
        self, features: Features, long_term: Memory, short_term: Memory, memory_mask: Tensor | None = None
    ) -> tuple[Tensor, tuple[Projection, ...]]:
        """A frame with unknown masks.

        Args:
            memory_mask: (B, T), 1 for each of the T frames of ``long_term`` that is to be read, else 0; None reads
                all of them.

        Returns:
            tokens (B, 2C, h, w) for the decoder, and the layers' projections for ``remember``.
        """
        visual, identity = features.tokens.flatten(2).transpose(1, 2), None
        pending = []
        for layer, long, short in zip(self.layers, long_term, short_term, strict=True):
            projection = layer.project(visual, identity)  # type: ignore[operator]
            visual, identity, seen = layer(
                visual, identity, projection, long, short, features.size, memory_mask
            )
            pending.append(seen)
        return self._finish(visual, identity, features.size), tuple(pending)

    def attention_map(
        self,
        pending: Sequence[Projection],
        long_term: Memory,
        size: tuple[int, int],
        layer: int = -1,
        kind: MapKind = "long-term",
    ) -> AttentionMap:
        """The map of one layer, which its two branches share; see ``Model.attention_map``."""
        check_request(layer, kind, self.config.layers)
        module = cast(GatedPropagationModule, self.layers[layer])
        seen = pending[layer]
        if kind == "self":
            assert seen.own is not None  # propagate sets it
            weights, locations = module.self_propagation.weights(seen.own, size)
        else:
            weights, locations = module.long_term.weights(seen.key, long_term[layer], size)
        if module.deformable is None:
            return AttentionMap(weights, size, None)
        factor = module.deformable.grid_factor
        points = reference_points(size, factor, weights.device)
        return AttentionMap(weights, grid_size(size, factor), locations, points)

    def _finish(self, visual: Tensor, identity: Tensor | None, size: tuple[int, int]) -> Tensor:
        assert identity is not None  # every layer returns one
        both = torch.cat([visual, identity], dim=-1)  # B M 2C
        normed: Tensor = self.output_norm(both.unflatten(1, size).permute(0, 3, 1, 2))
        return normed


def deaot_t() -> DeAOTConfig:
    """DeAOT-T: 1 layer, references only."""
    return DeAOTConfig(layers=1)


def deaot_s() -> DeAOTConfig:
    """DeAOT-S: 2 layers, references only."""
    return DeAOTConfig(layers=2)


def deaot_b() -> DeAOTConfig:
    """DeAOT-B: 3 layers, references only."""
    return DeAOTConfig(layers=3)


def deaot_l() -> DeAOTConfig:
    """DeAOT-L: 3 layers, memory every 5 frames, 8 of them at most unless chosen otherwise."""
    return DeAOTConfig(layers=3, long_term_gap=5, long_term_frames=8)


def r50_deaot_l() -> DeAOTConfig:
    """DeAOT-L with ResNet-50."""
    return DeAOTConfig(encoder="resnet-50", layers=3, long_term_gap=5, long_term_frames=8)


def swin_b_deaot_l() -> DeAOTConfig:
    """DeAOT-L with Swin-B."""
    return DeAOTConfig(encoder="swin-b", layers=3, long_term_gap=5, long_term_frames=8)


def deaot_t_deformable() -> DeAOTConfig:
    """DeAOT-T with deformable long-term and self-propagation; two remembered frames."""
    return replace(_deformable(deaot_t()), long_term_gap=5, long_term_frames=2)


def deaot_nano() -> DeAOTConfig:
    """For phones: half the channels, deformable, two remembered frames; made for images of 320 to 384 pixels."""
    propagation = PropagationConfig(
        channels=128, attention_channels=64, value_channels=256, deformable=DeformableConfig()
    )
    return DeAOTConfig(layers=1, propagation=propagation, long_term_gap=5, long_term_frames=2)


def deaot_s_deformable() -> DeAOTConfig:
    """DeAOT-S with deformable long-term and self-propagation."""
    return _deformable(deaot_s())


def deaot_b_deformable() -> DeAOTConfig:
    """DeAOT-B with deformable long-term and self-propagation."""
    return _deformable(deaot_b())


def deaot_l_deformable() -> DeAOTConfig:
    """DeAOT-L with deformable long-term and self-propagation."""
    return _deformable(deaot_l())


def _deformable(config: DeAOTConfig) -> DeAOTConfig:
    return replace(config, propagation=replace(config.propagation, deformable=DeformableConfig()))
