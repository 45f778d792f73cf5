"""The parts of an image encoder that are not trained: frozen batch norm (which can be folded away) and frozen stages.

The statistics stay those of the pre-trained file: a training batch holds too few clips to estimate others.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from limpet.core.errors import ModelError

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class FrozenBatchNorm2d(nn.Module):
    """Batch norm with fixed statistics and scale: an affine map per channel without parameters.

    Args:
        channels: number of channels C of the input (B, C, h, w).
        eps: added to the variance.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def affine(self) -> tuple[Tensor, Tensor]:
        """Scale and shift, each (C,) in float32: the norm of x is x * scale + shift."""
        scale = self.weight.float() * torch.rsqrt(self.running_var.float() + self.eps)
        return scale, self.bias.float() - self.running_mean.float() * scale

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x`` (B, C, h, w) of any float dtype; the result has its shape and dtype."""
        scale, shift = (term.to(x.dtype)[:, None, None] for term in self.affine())
        # One pass over x, and the backward pass keeps only the scale (F.batch_norm would keep x).
        return torch.addcmul(shift, x, scale)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: object) -> None:
        # Files of ordinary batch norms carry this counter, which frozen statistics have no use for.
        state_dict.pop(prefix + "num_batches_tracked", None)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def train_affine(module: nn.Module) -> None:
    """Make parameters of the scale and shift of every frozen norm in ``module``; the statistics stay as they are.

    Call it before stages are frozen. The names in the state dict do not change.
    """
    for norm in module.modules():
        if isinstance(norm, FrozenBatchNorm2d):
            for name in ("weight", "bias"):
                buffer = norm._buffers.pop(name)
                assert buffer is not None
                norm.register_parameter(name, nn.Parameter(buffer))


class StagedEncoder(Protocol):
    """An encoder whose parts can be frozen from the front."""

    def stages(self) -> Sequence[nn.Module]:
        """The stem and then each stage, in the order of the forward pass."""


def freeze(encoder: StagedEncoder, stages: int) -> None:
    """Take the gradient from the first ``stages`` stages (1 is the stem alone, 2 adds the first stage).

    Raises:
        ModelError: the encoder has fewer stages.
    """
    available = encoder.stages()
    if not 0 <= stages <= len(available):
        raise ModelError(
            f"cannot freeze {stages} stages: {type(encoder).__name__} has {len(available)} (the stem is the "
            f"first); choose 0 to {len(available)}"
        )
    for stage in available[:stages]:
        stage.requires_grad_(False)


def fold_frozen_norms(module: ModuleT) -> ModuleT:
    """A copy of ``module`` that computes the same with each convolution's frozen norm folded into it.

    A norm is folded when it is registered directly after its convolution (also in a Sequential). For
    inference and for frozen stages: training the folded weights would be another optimisation problem,
    since the norm's scale no longer multiplies the gradient.
    """
    folded = copy.deepcopy(module)
    for parent in list(folded.modules()):
        for (name, conv), (norm_name, norm) in pairwise(list(parent.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, FrozenBatchNorm2d):
                setattr(parent, name, _folded(conv, norm))
                setattr(parent, norm_name, nn.Identity())
    return folded


@torch.no_grad()
def _folded(conv: nn.Conv2d, norm: FrozenBatchNorm2d) -> nn.Conv2d:
    """``conv`` itself with weight and bias such that it computes norm(conv(x))."""
    scale, shift = norm.affine()
    weight, trains = conv.weight, conv.weight.requires_grad
    if conv.bias is not None:
        shift = shift + conv.bias.float() * scale
    folded = (weight.float() * scale[:, None, None, None]).to(weight.dtype)
    conv.weight = nn.Parameter(folded, requires_grad=trains)
    conv.bias = nn.Parameter(shift.to(weight.dtype), requires_grad=False)
    return conv
