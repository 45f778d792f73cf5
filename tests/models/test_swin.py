"""What is Swin's own: windows, their shift, and the attention inside them."""

from __future__ import annotations

import math

import pytest
import torch
from small_encoders import small_swin
from torch import Tensor, nn
from torch.nn import functional as F

from limpet.core.errors import ModelError
from limpet.models.swin import SwinB, SwinConfig, WindowAttention, from_windows, shift_mask, to_windows


def test_swin_pads_with_zeros_at_the_right_and_bottom() -> None:
    encoder, image = small_swin().eval(), torch.randn(1, 3, 50, 71)
    with torch.inference_mode():
        for a, b in zip(encoder(image), encoder(F.pad(image, (0, 1, 0, 2))), strict=True):
            torch.testing.assert_close(a, b)


def test_windows_are_cut_and_put_back() -> None:
    x = torch.arange(2 * 6 * 9 * 4.0).reshape(2, 6, 9, 4)
    windows = to_windows(x, 3)
    assert windows.shape == (12, 9, 4)
    assert torch.equal(windows[7], x[1, :3, 3:6].reshape(9, 4))
    assert torch.equal(from_windows(windows, 3, x.shape), x)


def test_shifted_windows_hold_apart_what_is_far_apart() -> None:
    h, w, side = 14, 21, 7
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    places = torch.stack([rows, columns], -1)[None].roll((-3, -3), (1, 2))
    places = to_windows(places, side)  # (windows, cells, 2): where each cell was before the shift
    far = ((places[:, :, None] - places[:, None]).abs() >= side).any(-1)
    assert far.any()
    assert torch.equal(shift_mask(h, w, side, torch.device("cpu")), far)


def test_window_attention_equals_a_slow_loop() -> None:
    side, heads, width = 2, 2, 6
    attention = WindowAttention(width, heads, side)
    nn.init.normal_(attention.relative_position_bias_table)
    x, apart = torch.randn(4, side**2, width), torch.rand(2, side**2, side**2) < 0.3
    apart &= ~torch.eye(side**2, dtype=torch.bool)
    with torch.inference_mode():
        torch.testing.assert_close(attention(x, apart), _slow_attention(attention, x, apart, side))


def _slow_attention(attention: WindowAttention, x: Tensor, apart: Tensor, side: int) -> Tensor:
    size = x.shape[-1] // attention.heads
    outputs = torch.zeros_like(x)
    for window in range(len(x)):
        q, k, v = attention.qkv(x[window]).chunk(3, dim=-1)
        for head in range(attention.heads):
            part = slice(head * size, (head + 1) * size)
            for i in range(side**2):
                scores = torch.full((side**2,), float("-inf"))
                for j in range(side**2):
                    down, right = i // side - j // side, i % side - j % side
                    row = (down + side - 1) * (2 * side - 1) + right + side - 1
                    bias = attention.relative_position_bias_table[row, head]
                    if not apart[window % len(apart), i, j]:
                        scores[j] = q[i, part] @ k[j, part] / math.sqrt(size) + bias
                outputs[window, i, part] = scores.softmax(0) @ v[:, part]
    return attention.proj(outputs)


def test_drop_path_skips_whole_samples_in_training_only() -> None:
    encoder = SwinB(config=SwinConfig(width=16, depths=(2, 2, 2), heads=(1, 2, 4), drop_path=0.5))
    block, branch = encoder.layers[2].blocks[-1], torch.ones(400, 2, 2, 1)
    dropped = block.train().drop_path(branch).flatten(1)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(dropped.amin(1), dropped.amax(1))
    assert 0.8 < dropped.mean() < 1.2
    assert block.eval().drop_path(branch) is branch
    assert encoder.layers[0].blocks[0].train().drop_path(branch) is branch  # the rate grows from 0


def test_swin_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ModelError, match="stage 1 has 32 channels, which 3 heads cannot share"):
        SwinConfig(width=16, heads=(1, 3, 4))
    with pytest.raises(ModelError, match=r"drop_path must be in \[0, 1\), not 1"):
        SwinConfig(drop_path=1)
