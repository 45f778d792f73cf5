"""Values of objects: what weighs them, and what they are made of."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from limpet.models.mobilenet import MobileNetV2
from limpet.models.resnet import ResNet18
from limpet.models.value_encoder import ConvolutionalAttention, ValueEncoder


@torch.no_grad()
def test_attention_weighs_channels_and_then_cells() -> None:
    block, x = ConvolutionalAttention(8), torch.randn(2, 8, 5, 6)
    expected = torch.empty_like(x)
    for b in range(2):
        gates = block.channel_gate(x[b].mean((1, 2))) + block.channel_gate(x[b].amax((1, 2)))
        weighed = x[b] * gates.sigmoid()[:, None, None]
        planes = torch.stack([weighed.amax(0), weighed.mean(0)])[None]
        expected[b] = weighed * block.spatial_gate(planes).sigmoid()[0]
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("reads_image", [False, True])
@torch.no_grad()
def test_each_object_gets_the_value_that_it_has_alone(reads_image: bool) -> None:
    encoder: nn.Module = ResNet18(inputs=5) if reads_image else MobileNetV2(inputs=2, dilated=False)
    values = ValueEncoder(encoder.eval(), frame_channels=12, channels=16).eval()
    identity, at_16 = torch.rand(2, 3, 2, 32, 48), torch.randn(2, 12, 2, 3)
    image = torch.randn(2, 3, 32, 48) if reads_image else None
    together = values(identity, at_16, image)
    assert together.shape == (6, 16, 2, 3)
    for number in range(6):
        b = slice(number // 3, number // 3 + 1)
        one = identity[b, number % 3 : number % 3 + 1]
        alone = values(one, at_16[b], None if image is None else image[b])
        torch.testing.assert_close(together[number : number + 1], alone, atol=1e-4, rtol=1e-4)
