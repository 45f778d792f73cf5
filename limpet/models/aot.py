"""AOT (Yang, Wei and Yang, NeurIPS 2021): associating objects with transformers.

The order of calls is told in ``limpet.models.base``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from limpet.models.attention_map import AttentionMap, MapKind, check_request
from limpet.models.base import Features, Model, check_config
from limpet.models.decoder import Decoder
from limpet.models.encoders import build_encoder, find_encoder
from limpet.models.identity import IdBank
from limpet.models.transformer import LongShortTermBlock, Observation, TransformerConfig, sine_position
from limpet.registry import register
from limpet.state import Memory


@dataclass(frozen=True)
class AOTConfig:
    """A member of the family. ``long_term_gap``: frames between long-term memories, None keeps references only."""

    encoder: str = "mobilenet-v2"
    layers: int = 1
    max_objects: int = 10
    long_term_gap: int | None = None
    transformer: TransformerConfig = field(default_factory=TransformerConfig)

    def __post_init__(self) -> None:
        check_config(self)

    @property
    def align_corners(self) -> bool:
        """Whether sizes are 16k + 1 and up-sampling aligns corners; window encoders want 16k instead."""
        return find_encoder(self.encoder).align_corners


class AOT(Model):
    """Encoder, identity bank, long short-term transformer and decoder, which reads every block's output."""

    def __init__(self, config: AOTConfig) -> None:
        super().__init__()
        self.config = config
        channels, slots = config.transformer.channels, config.max_objects + 1
        self.encoder = build_encoder(config.encoder)
        widths = cast(tuple[int, ...], self.encoder.channels)
        self.encoder_projector = nn.Conv2d(widths[3], channels, 1)
        self.id_bank = IdBank(config.max_objects, channels, config.align_corners, normalise=False)
        self.layers = nn.ModuleList(LongShortTermBlock(config.transformer) for _ in range(config.layers))
        self.output_norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(config.layers))
        inputs = (config.layers + 1) * channels
        self.decoder = Decoder(inputs, slots, widths[:3], channels, config.align_corners)
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.layers.named_parameters():
            if parameter.dim() > 1 and not name.endswith("relative.value"):  # which begins at zero
                nn.init.xavier_uniform_(parameter)
        nn.init.xavier_uniform_(self.encoder_projector.weight)
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
    ) -> tuple[Tensor, tuple[Observation, ...], Memory]:
        """A frame with known masks, which is its own memory.

        Returns:
            tokens (B, (layers + 1) * C, h, w) for the decoder, the layers' observations, and the memory of the frame.
        """
        tokens, position = self._begin(features)
        outputs, pending, memory = [], [], []
        for layer in self.layers:
            tokens, seen = layer.observe(tokens, position)  # type: ignore[operator]
            own = layer.remember(seen, id_embedding)  # type: ignore[operator]
            tokens = layer(tokens, seen, own, own, features.size)
            outputs.append(tokens)
            pending.append(seen)
            memory.append(own)
        return self._finish(outputs, features), tuple(pending), tuple(memory)

    def propagate(
        self, features: Features, long_term: Memory, short_term: Memory, filled: Tensor | None = None
    ) -> tuple[Tensor, tuple[Observation, ...]]:
        """A frame with unknown masks.

        Args:
            filled: (B, F), 1 for each of the F frames of ``long_term`` that is to be read, else 0; None reads all.

        Returns:
            tokens (B, (layers + 1) * C, h, w) for the decoder, and the layers' observations for ``remember``.
        """
        tokens, position = self._begin(features)
        outputs, pending = [], []
        for layer, distant, recent in zip(self.layers, long_term, short_term, strict=True):
            tokens, seen = layer.observe(tokens, position)  # type: ignore[operator]
            tokens = layer(tokens, seen, distant, recent, features.size, filled)
            outputs.append(tokens)
            pending.append(seen)
        return self._finish(outputs, features), tuple(pending)

    def remember(self, pending: Sequence[Observation], id_embedding: Tensor) -> Memory:
        """The memory of a propagated frame, now that its masks are known."""
        return tuple(
            layer.remember(seen, id_embedding)  # type: ignore[operator]
            for layer, seen in zip(self.layers, pending, strict=True)
        )

    def decode(self, tokens: Tensor, features: Features) -> Tensor:
        """Tokens (B, (layers + 1) * C, h, w) -> scores (B, slots, H/4, W/4) in float32, background first."""
        scores: Tensor = self.decoder(tokens, features[:3])
        return scores.float()

    def attention_map(
        self,
        pending: Sequence[Observation],
        long_term: Memory,
        size: tuple[int, int],
        layer: int = -1,
        kind: MapKind = "long-term",
    ) -> AttentionMap:
        """The mean of the heads' long-term maps in one layer; arguments as of DeAOT's. Raises ModelError."""
        check_request(layer, kind, self.config.layers, ("long-term",))
        module = cast(LongShortTermBlock, self.layers[layer])
        return AttentionMap(module.long_term.weights(pending[layer].key, long_term[layer].key), size, None)

    def _begin(self, features: Features) -> tuple[Tensor, Tensor]:
        """Tokens (B, h*w, C) and their positions (h*w, C)."""
        tokens = features.tokens.flatten(2).transpose(1, 2)
        position = sine_position(features.size, tokens.shape[-1], tokens.device)
        return tokens, position.to(tokens.dtype)

    def _finish(self, outputs: Sequence[Tensor], features: Features) -> Tensor:
        """The encoder's map and every block's normed output side by side: (B, (layers + 1) * C, h, w)."""
        normed = [norm(output) for norm, output in zip(self.output_norms, outputs, strict=True)]
        maps = [output.unflatten(1, features.size).permute(0, 3, 1, 2) for output in normed]
        return torch.cat([features.tokens, *maps], dim=1)


@register("aot-t", summary="tiny: MobileNetV2, 1 layer, first frame as memory")
def aot_t() -> AOTConfig:
    return AOTConfig(layers=1)


@register("aot-s", summary="small: MobileNetV2, 2 layers, first frame as memory")
def aot_s() -> AOTConfig:
    return AOTConfig(layers=2)


@register("aot-b", summary="base: MobileNetV2, 3 layers, first frame as memory")
def aot_b() -> AOTConfig:
    return AOTConfig(layers=3)


@register("aot-l", summary="large: MobileNetV2, 3 layers, memory every 5 frames")
def aot_l() -> AOTConfig:
    return AOTConfig(layers=3, long_term_gap=5)


@register("r50-aot-l", summary="large: ResNet-50, 3 layers, memory every 5 frames")
def r50_aot_l() -> AOTConfig:
    return AOTConfig(encoder="resnet-50", layers=3, long_term_gap=5)


@register("swin-b-aot-l", summary="large: Swin-B, 3 layers, memory every 5 frames")
def swin_b_aot_l() -> AOTConfig:
    return AOTConfig(encoder="swin-b", layers=3, long_term_gap=5)
