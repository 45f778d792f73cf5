"""The table of image encoders: name, factory, and which sizes of image the encoder wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from limpet.errors import ModelError


@dataclass(frozen=True)
class EncoderEntry:
    """channels: widths of the maps at strides 4, 8, 16, 16.

    align_corners: the encoder wants sizes 16k + 1 (else 16k), and up-sampling aligns corners.
    """

    build: Callable[[], nn.Module]
    channels: tuple[int, int, int, int]
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
    "mobilenet-v2": EncoderEntry(_mobilenet_v2, (24, 32, 96, 1280), align_corners=True),
    "resnet-50": EncoderEntry(_resnet_50, (256, 512, 1024, 1024), align_corners=True),
    "swin-b": EncoderEntry(_swin_b, (128, 256, 512, 512), align_corners=False),
}


def build_encoder(name: str) -> nn.Module:
    """The encoder called ``name`` with random weights. Raises ModelError for an unknown name."""
    if name not in ENCODERS:
        raise ModelError(f"there is no encoder called {name!r}; the encoders are: {', '.join(ENCODERS)}")
    return ENCODERS[name].build()
