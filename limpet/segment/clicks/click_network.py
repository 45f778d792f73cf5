"""The network behind clicks: MobileNetV2, with the clicks and the mask so far beside the image.

The form is that of RITM (Sofiiuk, Petrov and Konushin, 2021): what the person showed enters beside the image after the
first convolution (their Conv1S), and the mask so far is given back to the network with each further click. The decoder
is a feature pyramid of separable convolutions down to half of the image's size.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.core.errors import WeightsError
from limpet.models.mobilenet import STEM_CHANNELS, conv_norm, inverted_residuals
from limpet.segment.clicks.click_config import MODEL
from limpet.weights.weights_file import load_into, read_weights

GUIDES = 3
"""Channels of what the person showed: disks on the object, disks beside it, and the mask so far."""
WIDTH = 96
_EDGE_WIDTH = 32
_LEVELS = {
    4: 24,
    7: 32,
    14: 96,
    18: 320,
}  # how many blocks make a level, and its channels: strides 4, 8, 16, 32


class ClickNetwork(nn.Module):
    """A mask of an image and of what a person showed on it. The encoder's names are torchvision's (``features.*``)."""

    def __init__(self) -> None:
        super().__init__()
        stem = conv_norm(3, STEM_CHANNELS, size=3, stride=2)
        self.features = nn.Sequential(stem, *inverted_residuals(output_stride=32))
        self.guides = nn.Sequential(
            nn.Conv2d(GUIDES, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, STEM_CHANNELS, 3, padding=1),
        )
        self.laterals = nn.ModuleList(
            nn.Conv2d(channels + GUIDES, WIDTH, 1) for channels in reversed(_LEVELS.values())
        )
        self.mixers = nn.ModuleList(
            nn.Sequential(Separable(WIDTH, WIDTH, size), Separable(WIDTH, WIDTH, size))
            for size in (5, 5, 3, 3)
        )
        self.context = nn.Conv2d(WIDTH, WIDTH, 1)
        self.edge = nn.Conv2d(STEM_CHANNELS + GUIDES, _EDGE_WIDTH, 1)
        self.to_edge = nn.Conv2d(WIDTH, _EDGE_WIDTH, 1)
        self.finest = Separable(_EDGE_WIDTH, _EDGE_WIDTH, 3)
        self.out = nn.Conv2d(_EDGE_WIDTH, 1, 1)

    def forward(self, image: Tensor, guides: Tensor) -> Tensor:
        """Logits of the mask.

        Args:
            image: (B, 3, H, W) float, ImageNet-normalised RGB; H and W are multiples of 32.
            guides: (B, GUIDES, H, W) float in 0..1: disks on the object, disks beside it, the mask so far.

        Returns:
            (B, 1, H, W).
        """
        x = self.features[0](image) + self.guides(guides)
        half, levels = x, []
        for index, block in enumerate(list(self.features)[1:], start=2):
            x = block(x)
            if index in _LEVELS:
                levels.append(x)
        y: Tensor | None = None
        for level, lateral, mix in zip(reversed(levels), self.laterals, self.mixers, strict=True):
            found = lateral(_beside(level, guides))
            if y is None:
                y = found + self.context(found.mean((2, 3), keepdim=True))
            else:
                y = found + F.interpolate(y, size=found.shape[2:], mode="bilinear", align_corners=False)
            y = mix(y)
        finest = F.interpolate(
            self.to_edge(y), size=half.shape[2:], mode="bilinear", align_corners=False
        ) + self.edge(_beside(half, guides))
        logits = self.out(self.finest(finest))
        return F.interpolate(logits, size=image.shape[2:], mode="bilinear", align_corners=False)


def load_click_network(path: Path) -> ClickNetwork:
    """The network with the weights of a file.

    Raises:
        WeightsError: no such file, or one of another model.
    """
    file = read_weights(path)
    if file.model != MODEL:
        raise WeightsError(f"{path} holds weights of {file.model!r}, not of the click model")
    network = ClickNetwork()
    load_into(network, file.tensors, str(path))
    return network


class Separable(nn.Module):
    """x + norm(1x1(ReLU(norm(depth-wise(x))))), then ReLU; the norms are ordinary batch norms."""

    def __init__(self, inputs: int, outputs: int, size: int) -> None:
        super().__init__()
        self.filter = nn.Conv2d(inputs, inputs, size, padding=size // 2, groups=inputs, bias=False)
        self.norm = nn.BatchNorm2d(inputs)
        self.mix = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.mix_norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        y = F.relu(self.norm(self.filter(x)))
        return F.relu(x + self.mix_norm(self.mix(y)))


def _beside(level: Tensor, guides: Tensor) -> Tensor:
    """A map with the guides at its size; a disk is not lost where cells are larger than it."""
    return torch.cat([level, F.adaptive_max_pool2d(guides, level.shape[2:])], dim=1)
