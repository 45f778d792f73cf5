"""The feature-pyramid decoder, written out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limpet.models.decoder import ConvNorm, Decoder


@torch.no_grad()
@pytest.mark.parametrize("align_corners", [True, False])
def test_each_map_of_the_encoder_is_added_on_the_way_up(align_corners: bool) -> None:
    torch.manual_seed(0)
    decoder = Decoder(6, 4, (3, 5, 7), 32, align_corners)
    sides = ((17, 25), (9, 13), (5, 7)) if align_corners else ((16, 24), (8, 12), (4, 6))
    tokens = torch.randn(2, 6, *sides[2])
    at_4, at_8, at_16 = (torch.randn(2, c, *side) for c, side in zip((3, 5, 7), sides, strict=True))

    def norm(layer: ConvNorm, x: Tensor) -> Tensor:
        padding = layer.conv.weight.shape[-1] // 2
        y = F.conv2d(x, layer.conv.weight, layer.conv.bias, padding=padding)
        return F.group_norm(y, 8, layer.norm.weight, layer.norm.bias).clamp_min(0)

    def up(x: Tensor, side: tuple[int, int]) -> Tensor:
        return F.interpolate(x, side, mode="bilinear", align_corners=align_corners)

    x = norm(decoder.conv_16x, norm(decoder.conv_in, tokens) + decoder.adapter_16x(at_16))
    x = norm(decoder.conv_8x, up(x, sides[1]) + decoder.adapter_8x(at_8))
    x = norm(decoder.conv_4x, up(x, sides[0]) + decoder.adapter_4x(at_4))
    found = decoder(tokens, (at_4, at_8, at_16))
    assert found.shape == (2, 4, *sides[0])
    torch.testing.assert_close(found, decoder.conv_out(x))
