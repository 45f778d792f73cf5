"""A made-up model that uses all that the interface allows and the AOT family does not.

Each object has a logit of its own, memory is made from soft masks, the image is read again when a frame is remembered,
and the second layer keeps fewer tokens than the first. Its numbers mean nothing.

Legend: B batch; N objects; C channels; M tokens of a layer; H W pixels; h w feature cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, cast

import torch
import torch.nn.functional as F
from tiny_encoder import TINY
from torch import Tensor, nn

from limpet.memory import LayerMemory, Memory
from limpet.models.attention import attend, padding_bias
from limpet.models.base import Features, Model, ModelConfig
from limpet.models.encoders import build_encoder


@dataclass(frozen=True)
class PerObjectConfig(ModelConfig):
    encoder: str = TINY
    layers: int = 2
    channels: int = 16
    independent_objects: ClassVar[bool] = True
    soft_memory: ClassVar[bool] = True

    def build(self) -> PerObject:
        return PerObject(self)


class Seen(NamedTuple):
    """key (B, M, C) of one layer, and the image (B, 3, H, W) that all layers make their values from."""

    key: Tensor
    image: Tensor


class PerObject(Model):
    def __init__(self, config: PerObjectConfig) -> None:
        super().__init__()
        channels = config.channels
        self.config = config
        self.channels, self.scale = channels, channels**-0.5
        self.encoder = build_encoder(config.encoder)
        widths = cast(tuple[int, ...], self.encoder.channels)
        self.projector = nn.Conv2d(widths[3], channels, 1)
        self.patches = nn.Conv2d(3, channels, 17, stride=16, padding=8)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Conv2d(5, channels, 17, stride=16, padding=8)
        self.coarse_value = nn.Linear(channels, channels)
        self.adapter = nn.Conv2d(widths[0], channels, 1)
        self.logit = nn.Conv2d(channels, 1, 1)

    def encode(self, image: Tensor) -> Features:
        at_4, at_8, at_16, deepest = self.encoder(image)
        tokens = self.projector(deepest) + self.patches(image)
        return Features(at_4, at_8, at_16, tokens, image=image)

    def identify(self, planes: Tensor) -> Tensor:
        """(B, N + 1, H, W) -> (B, N, 2, H, W): each object, and all others together."""
        own = planes[:, 1:]
        return torch.stack([own, 1 - planes[:, :1] - own], dim=2)

    def refer(self, features: Features, identity: Tensor) -> tuple[Tensor, tuple[Seen, ...], Memory]:
        pending = self._see(features)
        memory = self.remember(pending, identity)
        return self._read(pending, memory, memory, features, None), pending, memory

    def propagate(
        self, features: Features, long_term: Memory, short_term: Memory, memory_mask: Tensor | None = None
    ) -> tuple[Tensor, tuple[Seen, ...]]:
        pending = self._see(features)
        return self._read(pending, long_term, short_term, features, memory_mask), pending

    def remember(self, pending: tuple[Seen, ...], identity: Tensor) -> Memory:
        fine, coarse = pending
        image = fine.image.unsqueeze(1).expand(-1, identity.shape[1], -1, -1, -1)  # B N 3 H W
        value = self.value(torch.cat([image, identity], dim=2).flatten(0, 1)).tanh()  # B*N C h w
        few = self.coarse_value(halved(value).flatten(2).transpose(1, 2))  # B*N M C
        return Memory(
            (
                LayerMemory(fine.key, side_by_side(value.flatten(2).transpose(1, 2), len(image))),
                LayerMemory(coarse.key, side_by_side(few, len(image))),
            )
        )

    def decode(self, tokens: Tensor, features: Features) -> Tensor:
        """(B, N*C, h, w) -> (B, N + 1, H/4, W/4), the background being 0."""
        return self.last_layer(self.representation(tokens, features))

    def representation(self, tokens: Tensor, features: Features) -> Tensor:
        """(B, N*C, h, w) -> (B, N, C, H/4, W/4)."""
        objects = tokens.shape[1] // self.channels
        each = tokens.unflatten(1, (objects, self.channels)).flatten(0, 1)  # B*N C h w
        large = F.interpolate(each, size=features.at_4.shape[-2:], mode="bilinear", align_corners=True)
        detail = self.adapter(features.at_4).repeat_interleave(objects, dim=0)
        return (large + detail).tanh().unflatten(0, (-1, objects))

    def last_layer(self, representation: Tensor) -> Tensor:
        batch = len(representation)
        logits = self.logit(representation.flatten(0, 1)).unflatten(0, (batch, -1)).squeeze(2)  # B N H/4 W/4
        return F.pad(logits.float(), (0, 0, 0, 0, 1, 0))

    @property
    def representation_channels(self) -> int:
        return self.channels

    def _see(self, features: Features) -> tuple[Seen, ...]:
        assert features.image is not None  # encode sets it
        few = halved(features.tokens)
        return tuple(
            Seen(self.key(plane.flatten(2).transpose(1, 2)), features.image)
            for plane in (features.tokens, few)
        )

    def _read(
        self,
        pending: tuple[Seen, ...],
        long_term: Memory,
        short_term: Memory,
        features: Features,
        memory_mask: Tensor | None,
    ) -> Tensor:
        """(B, N*C, h, w): what every layer reads of both memories, added up."""
        total = torch.zeros((), device=features.tokens.device, dtype=features.tokens.dtype)
        sizes = [features.tokens.shape[-2:], halved(features.tokens).shape[-2:]]
        for seen, long, short, size in zip(pending, long_term, short_term, sizes, strict=True):
            query = seen.key * self.scale
            bias = padding_bias(memory_mask, seen.key.shape[1], query)
            read = attend(query, long.key, long.value, bias) + attend(query, short.key, short.value)
            plane = read.transpose(1, 2).unflatten(2, size)  # B N*C rows columns
            total = total + F.interpolate(plane, size=features.size, mode="nearest")
        return total


def halved(plane: Tensor) -> Tensor:
    """(B, C, h, w) -> means of 2x2 cells, (B, C, ceil(h/2), ceil(w/2))."""
    return F.avg_pool2d(plane, 2, ceil_mode=True)


def side_by_side(tokens: Tensor, batch: int) -> Tensor:
    """(B*N, M, C) -> (B, M, N*C)."""
    return tokens.unflatten(0, (batch, -1)).transpose(1, 2).flatten(2)


def lively_per_object(config: PerObjectConfig, seed: int = 0) -> PerObject:
    """A network that finds what looks like an object's frame before; the rest of it is random."""
    torch.manual_seed(seed)
    model = PerObject(config)
    with torch.no_grad():
        model.key.weight.mul_(10)
        sign = torch.ones(model.channels, 1, 1)
        sign[::2] = -1
        model.value.weight[:, 3] = 0.01 * sign  # the object itself
        model.value.weight[:, 4] = -0.01 * sign  # all others
        model.coarse_value.weight.copy_(torch.eye(model.channels))
        model.logit.weight.copy_(0.5 * sign.unsqueeze(0))
        model.logit.bias.fill_(-1.0)
    return model
