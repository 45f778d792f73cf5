"""Multi-head attention against loops that spell out the definition."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from limpet.models import multi_head
from limpet.models.multi_head import (
    TILE,
    LocalAttention,
    MultiHeadAttention,
    SelfAttention,
    from_tiles,
    into_tiles,
)

CHANNELS, HEADS, REACH = 12, 3, 2
# Smaller than a window, smaller than a tile, just one, one cell more, several with a remainder on each axis.
SIZES = [(1, 1), (2, 5), (TILE, TILE), (TILE + 1, 3), (11, 2 * TILE + 5)]


def tokens(count: int, batch: int = 2) -> Tensor:
    return torch.randn(batch, count, CHANNELS, dtype=torch.float64)


def head(x: Tensor, number: int) -> Tensor:
    """The channels of one head."""
    width = CHANNELS // HEADS
    return x[..., number * width : (number + 1) * width]


def test_each_head_reads_with_its_own_channels() -> None:
    layer = MultiHeadAttention(CHANNELS, HEADS).double()
    query, key, value = tokens(5), tokens(7), tokens(7)
    heads = []
    for n in range(HEADS):
        scores = head(query, n) @ head(key, n).transpose(1, 2) / (CHANNELS // HEADS) ** 0.5
        heads.append(scores.softmax(-1) @ head(value, n))
    torch.testing.assert_close(layer(query, key, value), layer.projection(torch.cat(heads, dim=-1)))


def test_positions_take_part_in_where_to_look_only() -> None:
    layer = SelfAttention(CHANNELS, HEADS).double()
    x, position = tokens(6), tokens(6, batch=1)[0]
    expected = MultiHeadAttention.forward(
        layer, layer.query(x + position), layer.key(x + position), layer.value(x)
    )
    torch.testing.assert_close(layer(x, position), expected)
    assert not torch.allclose(layer(x, position), layer(x, 0 * position))


def local_attention(window_values: bool = True) -> LocalAttention:
    layer = LocalAttention(CHANNELS, HEADS, REACH).double()
    torch.nn.init.normal_(layer.relative.weight)
    torch.nn.init.normal_(layer.relative.bias)
    if window_values:
        torch.nn.init.normal_(layer.relative.value)
    return layer


def one_by_one(
    layer: LocalAttention, query: Tensor, key: Tensor, value: Tensor, size: tuple[int, int]
) -> Tensor:
    """For each cell and head: softmax over the cells of the window that lie on the map (AOT, eq. 7 and its code)."""
    height, width = size
    window, depth = 2 * REACH + 1, CHANNELS // HEADS
    weight = layer.relative.weight.view(HEADS, window, window, depth)
    bias = layer.relative.bias.view(HEADS, window, window)
    offset_value = layer.relative.value.view(HEADS, depth, window, window)
    output = torch.zeros_like(query)
    for i in range(height):
        for j in range(width):
            for n in range(HEADS):
                q = head(query[:, i * width + j], n)  # B D
                scores, values = [], []
                for a in range(window):
                    for b in range(window):
                        row, column = i + a - REACH, j + b - REACH
                        if not (0 <= row < height and 0 <= column < width):
                            continue
                        there = row * width + column
                        score = (q * head(key[:, there], n)).sum(-1) / depth**0.5
                        scores.append(score + q @ weight[n, a, b] + bias[n, a, b])
                        values.append(head(value[:, there], n) + offset_value[n, :, a, b])
                shares = torch.stack(scores).softmax(0)
                head(output[:, i * width + j], n)[:] = (shares[..., None] * torch.stack(values)).sum(0)
    return layer.projection(output)


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_windows_equal_a_loop_over_every_cell(size: tuple[int, int]) -> None:
    layer, count = local_attention(), size[0] * size[1]
    query, key, value = tokens(count), tokens(count), tokens(count)
    torch.testing.assert_close(layer(query, key, value, size), one_by_one(layer, query, key, value, size))


def test_gradients_through_the_strided_views_are_right() -> None:
    layer, size = local_attention(), (3, TILE + 1)
    inputs = [tokens(size[0] * size[1], batch=1).requires_grad_() for _ in range(3)]
    parameters = list(layer.parameters())
    goal = tokens(size[0] * size[1], batch=1)
    fast = torch.autograd.grad((layer(*inputs, size) * goal).sum(), [*inputs, *parameters])
    slow = torch.autograd.grad((one_by_one(layer, *inputs, size) * goal).sum(), [*inputs, *parameters])
    for one, other in zip(fast, slow, strict=True):
        torch.testing.assert_close(one, other)


def test_offsets_begin_without_values() -> None:
    assert not LocalAttention(CHANNELS, HEADS, REACH).relative.value.any()


@pytest.mark.parametrize("size", SIZES)
def test_tiles_are_put_together_again(size: tuple[int, int]) -> None:
    x = torch.randn(2, HEADS, size[0] * size[1], 4)
    assert torch.equal(from_tiles(into_tiles(x, size), size), x)


def test_the_map_is_the_mean_of_the_heads() -> None:
    module = MultiHeadAttention(8, heads=2)
    query, key = torch.randn(1, 3, 8), torch.randn(1, 5, 8)
    found = module.weights(query, key)[0]
    for q in range(3):
        heads = []
        for channels in (slice(0, 4), slice(4, 8)):
            scores = [query[0, q, channels] @ key[0, k, channels] / 2 for k in range(5)]
            heads.append(torch.stack(scores).softmax(dim=0))
        torch.testing.assert_close(found[q], (heads[0] + heads[1]) / 2)


@pytest.mark.parametrize("radius", [1, 3, 7])
def test_captured_windows_equal_strided_ones(radius: int) -> None:
    side, window = TILE + 2 * radius, 2 * radius + 1
    scores, weights = torch.randn(2, 3, 2, TILE**2, side**2), torch.randn(2, 3, 2, TILE**2, window**2)
    assert torch.equal(multi_head._cut_windows(scores, radius), multi_head.windows_of(scores, radius))
    assert torch.equal(multi_head._lay_windows(weights, radius), multi_head.windows_to_tiles(weights, radius))
