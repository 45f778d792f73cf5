"""Encoders that are small or random in the parts that begin as constants, for several tests."""

from __future__ import annotations

from torch import nn

from limpet.models.frozen_norm import FrozenBatchNorm2d
from limpet.models.swin import SwinB, SwinConfig

SMALL_SWIN = SwinConfig(width=16, depths=(2, 2, 2), heads=(1, 2, 4))


def small_swin(freeze_at: int = 0) -> SwinB:
    """A narrow and shallow Swin."""
    return SwinB(freeze_at, SMALL_SWIN)


def randomise_norms(module: nn.Module) -> None:
    """Statistics, scales and shifts of every frozen norm, as those of a trained encoder."""
    for norm in module.modules():
        if isinstance(norm, FrozenBatchNorm2d):
            norm.weight.uniform_(0.8, 1.2)
            norm.bias.normal_(0, 0.1)
            norm.running_mean.normal_(0, 0.2)
            norm.running_var.uniform_(0.5, 1.5)
