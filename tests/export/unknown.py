"""A graph with an operation that formats for phones lack, two layers down."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from limpet.export.program import Program
from limpet.runtime.manifest import TensorSpec


class Spectrum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigvalsh(x)


class Unknown(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.ReLU(), Spectrum())

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        return (self.head(image),)


def unknown_program() -> Program:
    """In the place of a step."""
    image, result = TensorSpec("image", (1, 4, 4), "float32"), TensorSpec("mask", (1, 4), "float32")
    return Program("step", Unknown(), (torch.ones(1, 4, 4),), (image,), (result,))
