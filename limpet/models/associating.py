"""What the models of the AOT family have in common: encoder, identity bank, layers and decoder.

A family adds its layers and how a frame passes through them (``refer`` and ``propagate``). The order of calls is
explained in ``limpet.models.base``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn

from limpet.memory import Memory
from limpet.models.base import Features, Model, ModelConfig
from limpet.models.decoder import Decoder
from limpet.models.encoders import build_encoder
from limpet.models.identity import IdBank


class AssociatingModel(Model):
    """Associates objects with transformers: every object has an id slot, and one pass serves them all.

    A subclass sets ``layers``, whose modules have a method ``remember``, and ``decoder``.

    Args:
        config: of the family.
        channels: C, width of the projected features and of the identity embedding.
        normalise_identity: whether a LayerNorm follows the identity bank.
    """

    layers: nn.ModuleList
    decoder: Decoder

    def __init__(self, config: ModelConfig, channels: int, normalise_identity: bool) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.encoder)
        self.encoder_projector = nn.Conv2d(self._encoder_widths()[3], channels, 1)
        self.id_bank = IdBank(config.max_objects, channels, config.align_corners, normalise_identity)

    def encode(self, image: Tensor) -> Features:
        """Normalised RGB (B, 3, H, W), H and W = 16k + 1 (16k without align_corners) -> Features."""
        at_4, at_8, at_16, deepest = self.encoder(image)
        return Features(at_4, at_8, at_16, self.encoder_projector(deepest))

    def identify(self, planes: Tensor) -> Tensor:
        """Masks as planes (B, S, H, W) -> identity embedding (B, M, C)."""
        embedding: Tensor = self.id_bank(planes)
        return embedding

    def remember(self, pending: Sequence[Any], id_embedding: Tensor) -> Memory:
        """The memory of a propagated frame, now that its masks are known."""
        return Memory(
            tuple(
                layer.remember(seen, id_embedding)  # type: ignore[operator]
                for layer, seen in zip(self.layers, pending, strict=True)
            )
        )

    def decode(self, tokens: Tensor, features: Features) -> Tensor:
        """Tokens (B, D, h, w) -> logits (B, max_objects + 1, H/4, W/4) in float32, background first."""
        logits: Tensor = self.decoder(tokens, features.maps)
        return logits.float()

    def representation(self, tokens: Tensor, features: Features) -> Tensor:
        """What the last layer of the decoder reads, (B, 1, C/2, H/4, W/4); see ``Model.representation``."""
        return self.decoder.representation(tokens, features.maps).unsqueeze(1)

    def last_layer(self, representation: Tensor) -> Tensor:
        """(B, 1, C/2, H/4, W/4) -> logits as ``decode`` returns them."""
        logits: Tensor = self.decoder.conv_out(representation.squeeze(1))
        return logits.float()

    @property
    def representation_channels(self) -> int:
        """Half the decoder's width."""
        return self.decoder.conv_out.in_channels

    def make_decoder(self, inputs: int, channels: int) -> Decoder:
        """The decoder for tokens of ``inputs`` channels; ``channels`` is its own width at stride 16."""
        slots = self.config.max_objects + 1
        return Decoder(inputs, slots, self._encoder_widths()[:3], channels, self.config.align_corners)

    def initialise(self, zeros: str | None = None) -> None:
        """Xavier's random weights for the layers and the projector.

        Args:
            zeros: parameters of layers whose name ends so stay as they are.
        """
        for name, parameter in self.layers.named_parameters():
            if parameter.dim() > 1 and not (zeros and name.endswith(zeros)):
                nn.init.xavier_uniform_(parameter)
        nn.init.xavier_uniform_(self.encoder_projector.weight)
        nn.init.zeros_(self.encoder_projector.bias)  # type: ignore[arg-type]

    def _encoder_widths(self) -> tuple[int, ...]:
        """Channels of the encoder's maps at strides 4, 8, 16 and 16."""
        return cast(tuple[int, ...], self.encoder.channels)
