"""The depth-wise convolution with its own backward pass, against the library's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limpet.models.blocks import DepthwiseConv2d

SHAPES = [(5, 1, (2, 6, 7, 9)), (3, 2, (1, 4, 8, 5)), (3, 1, (3, 2, 1, 1)), (5, 2, (1, 3, 4, 13))]


def gradients(output: Tensor, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    torch.manual_seed(1)
    return torch.autograd.grad(output, inputs, torch.randn(output.shape).to(output.dtype))


@pytest.mark.parametrize(("kernel", "dilation", "shape"), SHAPES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_equals_the_library(
    kernel: int, dilation: int, shape: tuple[int, ...], layout: torch.memory_format
) -> None:
    conv = DepthwiseConv2d(shape[1], kernel, dilation)
    x = torch.randn(shape).contiguous(memory_format=layout).requires_grad_()
    inputs = (x, conv.weight)
    found = conv(x)
    expected = F.conv2d(x, conv.weight, None, 1, dilation * (kernel // 2), dilation, shape[1])
    assert (
        "ShiftedProducts" in type(found.grad_fn).__name__
    )  # or the test would compare the library with itself
    torch.testing.assert_close(found, expected)
    for ours, theirs in zip(gradients(found, inputs), gradients(expected, inputs), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_gradients_in_bf16_are_those_of_float32_but_for_rounding() -> None:
    conv = DepthwiseConv2d(16, 5)
    x = torch.randn(2, 16, 9, 11, requires_grad=True)
    exact = gradients(conv(x), (x, conv.weight))
    with torch.autocast("cpu", torch.bfloat16):
        output = conv(x)
    assert output.dtype == torch.bfloat16
    for ours, theirs in zip(gradients(output, (x, conv.weight)), exact, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).abs().max() < 0.02 * theirs.abs().max()


def test_the_own_backward_pass_is_left_out_where_nothing_is_learnt() -> None:
    conv = DepthwiseConv2d(4, 3)
    x = torch.randn(1, 4, 5, 5)
    with torch.no_grad():
        assert conv(x).grad_fn is None
    conv.requires_grad_(False)
    assert conv(x).grad_fn is None
    through = conv(x.requires_grad_())
    assert "ShiftedProducts" not in type(through.grad_fn).__name__


def test_bias_and_size() -> None:
    conv = DepthwiseConv2d(4, 3, dilation=2, bias=True)
    x = torch.randn(1, 4, 6, 3)
    expected = F.conv2d(x, conv.weight, conv.bias, 1, 2, 2, 4)
    assert conv(x).shape == x.shape
    torch.testing.assert_close(conv(x), expected)
