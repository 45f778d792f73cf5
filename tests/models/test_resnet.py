"""What is ResNet-50's own: its bottleneck block, written out."""

from __future__ import annotations

import pytest
import torch
from small_encoders import randomise_norms
from torch import Tensor, nn
from torch.nn import functional as F

from limpet.models.frozen_norm import FrozenBatchNorm2d
from limpet.models.resnet import Bottleneck, ResNet50


@pytest.mark.parametrize(("inputs", "stride", "project"), [(32, 1, False), (16, 1, True), (16, 2, True)])
def test_a_bottleneck_is_three_convolutions_and_a_shortcut(inputs: int, stride: int, project: bool) -> None:
    block, x = Bottleneck(inputs, 8, stride, project).eval(), torch.randn(2, inputs, 9, 11)
    randomise_norms(block)

    def step(
        x: Tensor, conv: nn.Conv2d, norm: FrozenBatchNorm2d, stride: int = 1, padding: int = 0
    ) -> Tensor:
        y = F.conv2d(x, conv.weight, None, stride, padding)
        return F.batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias)

    with torch.no_grad():
        shortcut = x if not project else step(x, block.downsample[0], block.downsample[1], stride)  # type: ignore[index]
        y = step(x, block.conv1, block.bn1).clamp_min(0)
        y = step(y, block.conv2, block.bn2, stride, padding=1).clamp_min(
            0
        )  # the 3x3 convolution has the stride
        expected = (step(y, block.conv3, block.bn3) + shortcut).clamp_min(0)
        torch.testing.assert_close(block(x.clone()), expected, atol=1e-5, rtol=1e-5)


def test_the_deepest_map_has_stride_16() -> None:
    assert not hasattr(ResNet50(), "layer4"), "the last stage is dropped"
