"""The table of image encoders: name, factory, and which sizes of image the encoder wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from torch import Tensor, nn

from limpet.errors import ModelError


class Encoder(Protocol):
    """Image (B, 3, H, W) -> maps at strides 4, 8, 16 and 16, with these widths."""

    channels: tuple[int, int, int, int]

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]: ...


@dataclass(frozen=True)
class EncoderEntry:
    """``align_corners``: the encoder wants sizes 16k + 1 (else 16k), and up-sampling aligns corners."""

    build: Callable[[], nn.Module]
    align_corners: bool


def _mobilenet_v2() -> nn.Module:
    from limpet.models.mobilenet import MobileNetV2

    return MobileNetV2()


def _resnet_50() -> nn.Module:
    from limpet.models.resnet import ResNet50

    return ResNet50()


def _swin_b() -> nn.Module:
    from limpet.models.swin import SwinB

    return SwinB()


ENCODERS: dict[str, EncoderEntry] = {
    "mobilenet-v2": EncoderEntry(_mobilenet_v2, align_corners=True),
    "resnet-50": EncoderEntry(_resnet_50, align_corners=True),
    "swin-b": EncoderEntry(_swin_b, align_corners=False),
}


def build_encoder(name: str) -> nn.Module:
    """The encoder called ``name`` with random weights. Raises ModelError for an unknown name."""
    if name not in ENCODERS:
        raise ModelError(f"there is no encoder called {name!r}; the encoders are: {', '.join(ENCODERS)}")
    return cast(nn.Module, ENCODERS[name].build())
