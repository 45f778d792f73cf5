"""AOT (Yang, Wei and Yang, NeurIPS 2021): associating objects with transformers.

The order of calls is explained in ``limpet.models.base``.

Legend: B batch; T frames; M tokens of one frame, M = h*w; C channels; h w feature cells; H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from limpet.attention_map import AttentionMap, MapKind, check_request
from limpet.memory import Memory
from limpet.models.associating import AssociatingModel
from limpet.models.base import Features, ModelConfig
from limpet.models.transformer import LongShortTermBlock, Observation, TransformerConfig, sine_position


@dataclass(frozen=True)
class AOTConfig(ModelConfig):
    """A member of the family. transformer: the sizes of its blocks; the other fields are those of ModelConfig."""

    transformer: TransformerConfig = field(default_factory=TransformerConfig)

    def build(self) -> AOT:
        """The network with random weights."""
        return AOT(self)


class AOT(AssociatingModel):
    """Encoder, identity bank, long short-term transformer and a decoder that reads the output of every block."""

    config: AOTConfig

    def __init__(self, config: AOTConfig) -> None:
        channels = config.transformer.channels
        super().__init__(config, channels, normalise_identity=False)
        self.layers = nn.ModuleList(LongShortTermBlock(config.transformer) for _ in range(config.layers))
        self.output_norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(config.layers))
        self.decoder = self.make_decoder((config.layers + 1) * channels, channels)
        self.initialise(zeros="relative.value")

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
            tokens, observation = layer.observe(tokens, position)  # type: ignore[operator]
            own = layer.remember(observation, id_embedding)  # type: ignore[operator]
            tokens = layer(tokens, observation, own, own, features.size)
            outputs.append(tokens)
            pending.append(observation)
            memory.append(own)
        return self._finish(outputs, features), tuple(pending), Memory(tuple(memory))

    def propagate(
        self, features: Features, long_term: Memory, short_term: Memory, memory_mask: Tensor | None = None
    ) -> tuple[Tensor, tuple[Observation, ...]]:
        """A frame with unknown masks.

        Args:
            memory_mask: (B, T), 1 for each of the T frames of ``long_term`` that is to be read, else 0; None reads
                all of them.

        Returns:
            tokens (B, (layers + 1) * C, h, w) for the decoder, and the layers' observations for ``remember``.
        """
        tokens, position = self._begin(features)
        outputs, pending = [], []
        for layer, long, short in zip(self.layers, long_term, short_term, strict=True):
            tokens, observation = layer.observe(tokens, position)  # type: ignore[operator]
            tokens = layer(tokens, observation, long, short, features.size, memory_mask)
            outputs.append(tokens)
            pending.append(observation)
        return self._finish(outputs, features), tuple(pending)

    def attention_map(
        self,
        pending: Sequence[Observation],
        long_term: Memory,
        size: tuple[int, int],
        layer: int = -1,
        kind: MapKind = "long-term",
    ) -> AttentionMap:
        """The mean of the heads' long-term maps in one layer; see ``Model.attention_map``."""
        check_request(layer, kind, self.config.layers, ("long-term",))
        module = cast(LongShortTermBlock, self.layers[layer])
        return AttentionMap(module.long_term.weights(pending[layer].key, long_term[layer].key), size, None)

    def _begin(self, features: Features) -> tuple[Tensor, Tensor]:
        """Tokens (B, M, C) and their positions (M, C)."""
        tokens = features.tokens.flatten(2).transpose(1, 2)
        position = sine_position(features.size, tokens.shape[-1], tokens.device)
        return tokens, position.to(tokens.dtype)

    def _finish(self, outputs: Sequence[Tensor], features: Features) -> Tensor:
        """The encoder's map and every block's normed output side by side: (B, (layers + 1) * C, h, w)."""
        normed = [norm(output) for norm, output in zip(self.output_norms, outputs, strict=True)]
        maps = [output.unflatten(1, features.size).permute(0, 3, 1, 2) for output in normed]
        return torch.cat([features.tokens, *maps], dim=1)


def aot_t() -> AOTConfig:
    """AOT-T: 1 layer, references only."""
    return AOTConfig(layers=1)


def aot_s() -> AOTConfig:
    """AOT-S: 2 layers, references only."""
    return AOTConfig(layers=2)


def aot_b() -> AOTConfig:
    """AOT-B: 3 layers, references only."""
    return AOTConfig(layers=3)


def aot_l() -> AOTConfig:
    """AOT-L: 3 layers, memory every 5 frames, 8 of them at most unless chosen otherwise."""
    return AOTConfig(layers=3, long_term_gap=5, long_term_frames=8)


def r50_aot_l() -> AOTConfig:
    """AOT-L with ResNet-50."""
    return AOTConfig(encoder="resnet-50", layers=3, long_term_gap=5, long_term_frames=8)


def swin_b_aot_l() -> AOTConfig:
    """AOT-L with Swin-B."""
    return AOTConfig(encoder="swin-b", layers=3, long_term_gap=5, long_term_frames=8)
