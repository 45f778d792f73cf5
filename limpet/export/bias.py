"""Takes what rounding an encoder's weights to int8 adds to its sums out of its biases.

Rounding moves weights a little to either side. What comes in after a ReLU is not zero on average, so a channel's sum
moves by much the same amount everywhere, and a bias can take that back, at no cost in bytes or time (Nagel et al.,
Data-Free Quantization Through Weight Equalization and Bias Correction, 2019, section 4.2; here measured on frames).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.export.backends import Clip
from limpet.export.program import Programs, make_programs
from limpet.models.base import Model
from limpet.tracking.prepare import prepare_image

Layer = nn.Conv2d | nn.Linear
FRAMES = 8
"""Frames of the clip, spread evenly, that are looked at."""
LEVELS = 127


def correct_for_int8(programs: Programs, clip: Clip, smallest: int = 0) -> Programs:
    """Both graphs anew, with the encoder's biases corrected along a clip. The weights stay as they are.

    Args:
        smallest: weights of fewer numbers will not be rounded; correcting for them would do harm.
    """
    model: Any = programs.step.module.tracker.model  # type: ignore[union-attr]
    chosen = np.unique(np.linspace(0, len(clip.frames) - 1, FRAMES).round().astype(int))
    size, device = programs.config.network_size, torch.device("cpu")
    images = [prepare_image(clip.frames[index], size, device) for index in chosen]
    return make_programs(correct_biases(model, images, smallest), programs.config)


@torch.no_grad()
def correct_biases(model: Model, images: Iterable[Tensor], smallest: int) -> Model:
    """A copy of ``model`` whose encoder has corrected biases. images: (1, 3, h, w) float32 each, normalised."""
    ready = copy.deepcopy(model)
    lost: dict[Layer, list[Tensor]] = {layer: [] for layer in rounded_layers(ready.encoder, smallest)}

    def note(layer: Any, given: tuple[Tensor, ...], _: Tensor) -> None:
        lost[layer].append(lost_sums(layer, given[0]))

    handles = [layer.register_forward_hook(note) for layer in lost]
    for image in images:
        ready.encoder(image)
    for handle in handles:
        handle.remove()
    for layer, each in lost.items():
        if each and layer.bias is not None:
            layer.bias += torch.stack(each).mean(0)
    return ready


def rounded_layers(encoder: nn.Module, smallest: int) -> list[Layer]:
    """Those with a weight that is rounded and a bias that can be corrected."""
    layers = [part for part in encoder.modules() if isinstance(part, Layer)]
    return [layer for layer in layers if layer.bias is not None and layer.weight.numel() >= smallest]


def lost_sums(layer: Layer, x: Tensor) -> Tensor:
    """(channels out,) by how much each channel's sums shrink on average when the layer's weights are rounded.

    Args:
        x: what comes in, (B, C, h, w) for a convolution, (..., C) for a linear layer.
    """
    change = layer.weight - rounded(layer.weight)
    if isinstance(layer, nn.Linear):
        return F.linear(x, change).flatten(0, -2).mean(0)
    sums = F.conv2d(x, change, None, layer.stride, layer.padding, layer.dilation, layer.groups)
    return sums.mean((0, 2, 3))


def rounded(weight: Tensor) -> Tensor:
    """A weight (channels out, ...) after int8 with a scale for each channel, from -127 to 127, as LiteRT stores it."""
    most = weight.abs().amax(tuple(range(1, weight.dim())), keepdim=True)
    scale = (most / LEVELS).clamp_min(torch.finfo(weight.dtype).tiny)
    return (weight / scale).round() * scale
