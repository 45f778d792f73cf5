"""The table of image encoders: name, factory, and the image sizes that the encoder needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from limpet.core.errors import ModelError


@dataclass(frozen=True)
class EncoderEntry:
    """One encoder.

    build: makes it; its ``channels`` are the widths of its maps at strides 4, 8, 16, 16.
    align_corners: it needs sizes of 16k + 1 (else 16k), and up-sampling aligns corners.
    """

    build: Callable[[], nn.Module]
    align_corners: bool


def _mobilenet_v2() -> nn.Module:
    from limpet.models.mobilenet import MobileNetV2

    return MobileNetV2()


def _mobilenet_v2_96() -> nn.Module:
    from limpet.models.mobilenet import MobileNetV2

    return MobileNetV2(dilated=False)


def _resnet_18() -> nn.Module:
    from limpet.models.resnet import ResNet18

    return ResNet18()


def _resnet_50() -> nn.Module:
    from limpet.models.resnet import ResNet50

    return ResNet50()


def _swin_b() -> nn.Module:
    from limpet.models.swin import SwinB

    return SwinB()


ENCODERS: dict[str, EncoderEntry] = {
    "mobilenet-v2": EncoderEntry(_mobilenet_v2, align_corners=True),
    "mobilenet-v2-96": EncoderEntry(_mobilenet_v2_96, align_corners=True),
    "resnet-18": EncoderEntry(_resnet_18, align_corners=True),
    "resnet-50": EncoderEntry(_resnet_50, align_corners=True),
    "swin-b": EncoderEntry(_swin_b, align_corners=False),
}


TIMM = "timm:"  # before the name of a backbone of that library


def find_encoder(name: str) -> EncoderEntry:
    """The entry called ``name``: one of ENCODERS, or "timm:" followed by the name of a backbone of timm.

    Raises:
        ModelError: unknown name.
        MissingExtraError: timm is asked for and not installed.
    """
    if name.startswith(TIMM):
        from limpet.models.timm_encoder import timm_entry

        return timm_entry(name.removeprefix(TIMM))
    if name not in ENCODERS:
        raise ModelError(
            f"there is no encoder called {name!r}; the encoders are: {', '.join(ENCODERS)}, "
            f"and {TIMM}NAME for a backbone of timm"
        )
    return ENCODERS[name]


def build_encoder(name: str) -> nn.Module:
    """The encoder called ``name`` with random weights.

    Raises:
        ModelError: unknown name, or a backbone without maps at strides 4, 8 and 16.
        MissingExtraError: timm is asked for and not installed.
    """
    return find_encoder(name).build()
