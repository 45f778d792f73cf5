"""In one pass or in two, the numbers are the same; and what has to be seen step by step is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from limpet.models.frozen_norm import fold_frozen_norms
from limpet.models.fused_convolution import in_one_pass, rectified
from limpet.models.mobilenet import MobileNetV2
from limpet.models.residual_decoder import ResidualBlock


@pytest.mark.parametrize("most", [None, 6.0])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    ("groups", "size", "stride", "bias"), [(1, 1, 1, True), (8, 3, 2, True), (1, 3, 1, False)]
)
def test_one_pass_equals_two(
    groups: int, size: int, stride: int, bias: bool, channels_last: bool, most: float | None
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 8, size, stride, size // 2, groups=groups, bias=bias)
    x = 9 * torch.randn(2, 8, 13, 17)
    if channels_last:
        conv, x = conv.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected = conv(x).clamp(0, most)
        assert in_one_pass(conv, x)
        found = rectified(conv, x, most)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last) == expected.is_contiguous(
        memory_format=torch.channels_last
    )


def test_an_encoder_and_a_decoder_compute_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    encoder, block = fold_frozen_norms(MobileNetV2(dilated=False)).eval(), ResidualBlock(8, 4).eval()
    image, x = torch.randn(1, 3, 33, 49), torch.randn(1, 8, 9, 7)
    with torch.inference_mode():
        found = *encoder(image), block(x)
        for place in ("mobilenet", "fused_convolution"):
            monkeypatch.setattr(f"limpet.models.{place}.in_one_pass", lambda conv, x: False)
        expected = *encoder(image), block(x)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_gradients_hooks_and_captures_see_each_step() -> None:
    conv, x = nn.Conv2d(4, 4, 1), torch.randn(1, 4, 5, 5)
    assert not in_one_pass(conv, x), "gradients are wanted"
    with torch.no_grad():
        assert in_one_pass(conv, x)
        assert not in_one_pass(conv, x.half())
        seen: list[object] = []
        handle = conv.register_forward_hook(lambda *given: seen.append(given))
        rectified(conv, x)
        assert len(seen) == 1
        handle.remove()
        encoder = fold_frozen_norms(MobileNetV2(dilated=False)).eval()
        program = torch.export.export(encoder.features[0], (torch.randn(1, 3, 33, 33),))
        assert "mkldnn" not in str(program.graph)
