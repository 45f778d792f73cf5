"""DeAOT (Yang and Yang, NeurIPS 2022): associating objects with decoupled visual and identity branches.

The order of calls is told in ``limpet.models.base``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import torch
from torch import Tensor, nn

from limpet.models.attention_map import AttentionMap, MapKind, check_request
from limpet.models.base import Features, Model, check_config
from limpet.models.decoder import Decoder
from limpet.models.deformable import DeformableConfig, OffsetNetwork, grid_size, reference_points
from limpet.models.encoders import build_encoder, find_encoder
from limpet.models.gated_propagation import (
    GatedPropagationModule,
    Projection,
    PropagationConfig,
)
from limpet.models.identity import IdBank
from limpet.registry import register
from limpet.state import Memory


@dataclass(frozen=True)
class DeAOTConfig:
    """A member of the family. ``long_term_gap``: frames between long-term memories, None keeps references only."""

    encoder: str = "mobilenet-v2"
    layers: int = 1
    max_objects: int = 10
    long_term_gap: int | None = None
    propagation: PropagationConfig = field(default_factory=PropagationConfig)

    def __post_init__(self) -> None:
        check_config(self)

    @property
    def align_corners(self) -> bool:
        """Whether sizes are 16k + 1 and up-sampling aligns corners; window encoders want 16k instead."""
        return find_encoder(self.encoder).align_corners


class DeAOT(Model):
    """Encoder, identity bank, gated propagation and decoder."""

    def __init__(self, config: DeAOTConfig) -> None:
        super().__init__()
        self.config = config
        channels, slots = config.propagation.channels, config.max_objects + 1
        self.encoder = build_encoder(config.encoder)
        widths = cast(tuple[int, ...], self.encoder.channels)
        self.encoder_projector = nn.Conv2d(widths[3], channels, 1)
        self.id_bank = IdBank(config.max_objects, channels, config.align_corners)
        self.layers = nn.ModuleList(
            GatedPropagationModule(config.propagation, first=index == 0) for index in range(config.layers)
        )
        self.output_norm = nn.GroupNorm(2, 2 * channels)  # one group a branch
        self.decoder = Decoder(2 * channels, slots, widths[:3], channels, config.align_corners)
        self._initialise()

    def _initialise(self) -> None:
        for parameter in [*self.layers.parameters(), self.encoder_projector.weight]:
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        for module in self.layers.modules():
            if isinstance(module, OffsetNetwork):
                module.rest()
        nn.init.zeros_(self.encoder_projector.bias)  # type: ignore[arg-type]

    def encode(self, image: Tensor) -> Features:
        """Normalised RGB (B, 3, H, W), H and W = 16k + 1 (16k without align_corners) -> Features."""
        at_4, at_8, at_16, deepest = self.encoder(image)
        return Features(at_4, at_8, at_16, self.encoder_projector(deepest))

    def identify(self, planes: Tensor) -> Tensor:
        """One-hot masks (B, S, H, W), background first, S <= slots -> identity embedding (B, h*w, C)."""
        embedding: Tensor = self.id_bank(planes)
        return embedding

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
        return self._finish(visual, identity, features.size), tuple(pending), tuple(memory)

    def propagate(
        self, features: Features, long_term: Memory, short_term: Memory, filled: Tensor | None = None
    ) -> tuple[Tensor, tuple[Projection, ...]]:
        """A frame with unknown masks.

        Args:
            filled: (B, F), 1 for each of the F frames of ``long_term`` that is to be read, else 0; None reads all.

        Returns:
            tokens (B, 2C, h, w) for the decoder, and the layers' projections for ``remember``.
        """
        visual, identity = features.tokens.flatten(2).transpose(1, 2), None
        pending = []
        for layer, distant, recent in zip(self.layers, long_term, short_term, strict=True):
            projection = layer.project(visual, identity)  # type: ignore[operator]
            visual, identity, seen = layer(
                visual, identity, projection, distant, recent, features.size, filled
            )
            pending.append(seen)
        return self._finish(visual, identity, features.size), tuple(pending)

    def remember(self, pending: Sequence[Projection], id_embedding: Tensor) -> Memory:
        """The memory of a propagated frame, now that its masks are known."""
        return tuple(
            layer.remember(projection, id_embedding)  # type: ignore[operator]
            for layer, projection in zip(self.layers, pending, strict=True)
        )

    def decode(self, tokens: Tensor, features: Features) -> Tensor:
        """Tokens (B, 2C, h, w) -> scores (B, slots, H/4, W/4) in float32, background first."""
        scores: Tensor = self.decoder(tokens, features[:3])
        return scores.float()

    def attention_map(
        self,
        pending: Sequence[Projection],
        long_term: Memory,
        size: tuple[int, int],
        layer: int = -1,
        kind: MapKind = "long-term",
    ) -> AttentionMap:
        """The map of one layer, shared by its two branches, for a frame that ``propagate`` has just seen.

        Args:
            pending: from ``propagate``. long_term: what it was given. size: (h, w) of the features.
            layer: counted from 0; -1 is the last.
            kind: of the long-term or the self-propagation.

        Raises:
            ModelError: no such layer or kind.
        """
        check_request(layer, kind, self.config.layers)
        module = cast(GatedPropagationModule, self.layers[layer])
        seen = pending[layer]
        if kind == "self":
            assert seen.own is not None  # propagate sets it
            weights, places = module.self_propagation.weights(seen.own, size)
        else:
            weights, places = module.long_term.weights(seen.key, long_term[layer], size)
        if module.deformable is None:
            return AttentionMap(weights, size, None)
        factor = module.deformable.grid_factor
        points = reference_points(size, factor, weights.device)
        return AttentionMap(weights, grid_size(size, factor), places, points)

    def _finish(self, visual: Tensor, identity: Tensor | None, size: tuple[int, int]) -> Tensor:
        assert identity is not None  # every layer returns one
        both = torch.cat([visual, identity], dim=-1)  # B h*w 2C
        normed: Tensor = self.output_norm(both.unflatten(1, size).permute(0, 3, 1, 2))
        return normed


@register("deaot-t", summary="tiny: MobileNetV2, 1 layer, first frame as memory")
def deaot_t() -> DeAOTConfig:
    return DeAOTConfig(layers=1)


@register("deaot-s", summary="small: MobileNetV2, 2 layers, first frame as memory")
def deaot_s() -> DeAOTConfig:
    return DeAOTConfig(layers=2)


@register("deaot-b", summary="base: MobileNetV2, 3 layers, first frame as memory")
def deaot_b() -> DeAOTConfig:
    return DeAOTConfig(layers=3)


@register("deaot-l", summary="large: MobileNetV2, 3 layers, memory every 5 frames")
def deaot_l() -> DeAOTConfig:
    return DeAOTConfig(layers=3, long_term_gap=5)


@register("r50-deaot-l", summary="large: ResNet-50, 3 layers, memory every 5 frames")
def r50_deaot_l() -> DeAOTConfig:
    return DeAOTConfig(encoder="resnet-50", layers=3, long_term_gap=5)


@register("swin-b-deaot-l", summary="large: Swin-B, 3 layers, memory every 5 frames")
def swin_b_deaot_l() -> DeAOTConfig:
    return DeAOTConfig(encoder="swin-b", layers=3, long_term_gap=5)


@register("deaot-t-deformable", summary="tiny, deformable long-term and self propagation")
def deaot_t_deformable() -> DeAOTConfig:
    return _deformable(deaot_t())


@register(
    "deaot-nano", summary="for phones: half the channels, deformable; made for images of 320 to 384 pixels"
)
def deaot_nano() -> DeAOTConfig:
    propagation = PropagationConfig(
        channels=128, attention_channels=64, value_channels=256, deformable=DeformableConfig()
    )
    return DeAOTConfig(layers=1, propagation=propagation)


@register("deaot-s-deformable", summary="small, deformable long-term and self propagation")
def deaot_s_deformable() -> DeAOTConfig:
    return _deformable(deaot_s())


@register("deaot-b-deformable", summary="base, deformable long-term and self propagation")
def deaot_b_deformable() -> DeAOTConfig:
    return _deformable(deaot_b())


@register("deaot-l-deformable", summary="large, deformable long-term and self propagation")
def deaot_l_deformable() -> DeAOTConfig:
    return _deformable(deaot_l())


def _deformable(config: DeAOTConfig) -> DeAOTConfig:
    return replace(config, propagation=replace(config.propagation, deformable=DeformableConfig()))
