"""The decoder of single objects: its blocks written out, and objects that do not touch."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from limpet.models.residual_decoder import Pyramid, ResidualBlock, ResidualDecoder


def test_a_block_adds_two_convolutions_to_a_widened_input() -> None:
    block, x = ResidualBlock(4, 6), torch.randn(1, 4, 5, 7)
    y = F.conv2d(x.clamp_min(0), block.conv1.weight, block.conv1.bias, padding=1).clamp_min(0)
    y = F.conv2d(y, block.conv2.weight, block.conv2.bias, padding=1)
    wide = block.shortcut(x)
    assert wide.shape == y.shape
    torch.testing.assert_close(block(x), wide + y)
    same = ResidualBlock(4, 4)
    assert not list(same.shortcut.parameters()), "equal widths need no convolution"


def test_a_pyramid_sees_as_far_as_its_dilations() -> None:
    pyramid, x = Pyramid(3, 4, 5), torch.ones(1, 3, 25, 25, requires_grad=True)
    for parameter in pyramid.parameters():
        torch.nn.init.constant_(parameter, 0.1)  # so that no ReLU stops the gradient
    y = pyramid(x)
    assert y.shape == (1, 5, 25, 25)
    y[:, :, 12, 12].sum().backward()
    assert x.grad is not None
    rows = x.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert (rows.min(), rows.max()) == (12 - 7, 12 + 7), (
        "six of the widest branch and one of the last convolution"
    )


@torch.no_grad()
def test_objects_share_the_frame_and_nothing_else() -> None:
    decoder = ResidualDecoder(8, (5, 6), (8, 6, 4), pyramid=(4, 7)).eval()
    x, at_4, at_8 = torch.randn(2 * 3, 8, 3, 4), torch.randn(2, 5, 12, 16), torch.randn(2, 6, 6, 8)
    together = decoder(x, at_4, at_8)
    assert together.shape == (6, 1, 12, 16)
    for number in range(6):
        frame = slice(number // 3, number // 3 + 1)
        alone = decoder(x[number : number + 1], at_4[frame], at_8[frame])
        torch.testing.assert_close(together[number : number + 1], alone, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_representation_is_what_the_last_layer_reads() -> None:
    decoder = ResidualDecoder(8, (5, 6), (8, 6, 4)).eval()
    inputs = torch.randn(1, 8, 3, 4), torch.randn(1, 5, 12, 16), torch.randn(1, 6, 6, 8)
    found = decoder.representation(*inputs)
    assert found.shape == (1, 4, 12, 16) and (found >= 0).all()
    torch.testing.assert_close(decoder.conv_out(found), decoder(*inputs))
