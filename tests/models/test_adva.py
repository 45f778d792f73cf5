"""ADVA against a slow loop, against a window of AOT, and on pictures that were moved."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from limpet.models.adva import ADVA, COARSE, FINE, MAX_OFFSET, ADVAConfig, SourceMap, attend_at, point_grid
from limpet.models.attention import attend_locally
from limpet.models.motion import coarse_size

SIZE = (7, 9)
HEADS, CHANNELS = 2, 8


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def source_map(size: tuple[int, int], seed: int, batch: int = 1) -> SourceMap:
    tokens = size[0] * size[1]
    return SourceMap(
        noise(batch, tokens, CHANNELS, seed=seed), noise(batch, tokens, CHANNELS, seed=seed + 1), size
    )


def both_maps(batch: int = 1) -> list[SourceMap]:
    return [source_map(SIZE, 1, batch), source_map(coarse_size(SIZE), 3, batch)]


def read_at(tokens: Tensor, row: float, column: float, size: tuple[int, int]) -> Tensor:
    """One bilinear reading, spelled out: tokens (M, c) -> (c,)."""
    row, column = min(max(row, 0), size[0] - 1), min(max(column, 0), size[1] - 1)
    top, left = math.floor(row), math.floor(column)
    total = torch.zeros(tokens.shape[1])
    for i in (top, top + 1):
        for j in (left, left + 1):
            share = (1 - abs(row - i)) * (1 - abs(column - j))
            if share > 0:
                total += share * tokens[i * size[1] + j]
    return total


def slow_attention(query: Tensor, maps: list[SourceMap], places: list[Tensor], bias: Tensor) -> Tensor:
    out = torch.zeros_like(query)
    width = CHANNELS // HEADS
    for b in range(query.shape[0]):
        for q in range(query.shape[1]):
            for head in range(HEADS):
                part = slice(head * width, (head + 1) * width)
                keys, values = [], []
                for source, where in zip(maps, places, strict=True):
                    for row, column in where[b, head, q].tolist():
                        keys.append(read_at(source.key[b, :, part], row, column, source.size))
                        values.append(read_at(source.value[b, :, part], row, column, source.size))
                logits = torch.stack(keys) @ query[b, q, part] / width**0.5 + bias[head]
                out[b, q, part] = logits.softmax(0) @ torch.stack(values)
    return out


def test_attend_at_is_a_slow_loop() -> None:
    maps = both_maps(batch=2)
    query, bias = noise(2, 5, CHANNELS, seed=7), noise(HEADS, 8, seed=8)
    places = [noise(2, HEADS, 5, 4, 2, seed=9 + number) * 6 + 3 for number in range(2)]
    assert (places[0] < 0).any() and (places[0] > 9).any(), "some lie off the map"
    expected = slow_attention(query, maps, places, bias)
    torch.testing.assert_close(attend_at(query, maps, places, bias), expected, atol=1e-5, rtol=1e-4)


def still(scale: int) -> Tensor:
    size = SIZE if scale == FINE else coarse_size(SIZE)
    return torch.zeros(1, size[0] * size[1], 2)


def test_without_flow_and_offsets_it_is_a_window_of_3x3() -> None:
    """One grid, nine points: away from the border, that is the window of AOT with radius 1 and no relative terms."""
    layer = ADVA(CHANNELS, 1, FINE, ADVAConfig(both_scales=False))
    layer.zero()
    source, query = source_map(SIZE, 1), noise(1, 63, CHANNELS, seed=5)
    (places,) = layer.sampling_locations(query, still(FINE), SIZE)
    found = attend_at(query, [source], [places], layer.bias)
    window = attend_locally(query / CHANNELS**0.5, source.key, source.value, torch.zeros(1, 63, 9), SIZE)
    inner = (slice(None), slice(1, -1), slice(1, -1))
    torch.testing.assert_close(found.unflatten(1, SIZE)[inner], window.unflatten(1, SIZE)[inner])


@pytest.mark.parametrize("way", [(2, -3), (-1, 2)])
def test_with_the_true_flow_a_moved_picture_reads_as_if_it_had_stayed(way: tuple[int, int]) -> None:
    layer = ADVA(CHANNELS, HEADS, FINE, ADVAConfig(both_scales=False))  # learned offsets are random, bounded
    big = noise(1, 15, 17, CHANNELS, seed=2), noise(1, 15, 17, CHANNELS, seed=3)

    def seen(top: int, left: int) -> SourceMap:
        key, value = (plane[:, top : top + 7, left : left + 9].flatten(1, 2) for plane in big)
        return SourceMap(key, value, SIZE)

    query = noise(1, 63, CHANNELS, seed=4) * 3
    assert layer.offset_network is not None
    torch.nn.init.zeros_(layer.offset_network.offsets.weight)
    torch.nn.init.uniform_(layer.offset_network.offsets.bias, -0.2, 0.2)
    stayed = layer(query, still(FINE), [seen(4, 4)], SIZE).unflatten(1, SIZE)
    flow = still(FINE) + torch.tensor(way, dtype=torch.float32)
    moved = layer(query, flow, [seen(4 - way[0], 4 - way[1])], SIZE).unflatten(1, SIZE)
    rows = slice(2, -4) if way[0] > 0 else slice(3, -2)
    columns = slice(2, -4) if way[1] > 0 else slice(5, -2)
    torch.testing.assert_close(moved[:, rows, columns], stayed[:, rows, columns], atol=1e-5, rtol=1e-4)
    unaware = layer(query, still(FINE), [seen(4 - way[0], 4 - way[1])], SIZE).unflatten(1, SIZE)
    assert (unaware - stayed)[:, rows, columns].abs().mean() > 0.1


@pytest.mark.parametrize("scale", [FINE, COARSE])
def test_queries_of_a_grid_read_both_at_the_same_place(scale: int) -> None:
    layer = ADVA(CHANNELS, HEADS, scale, ADVAConfig(points=1))
    layer.zero()
    size = SIZE if scale == FINE else coarse_size(SIZE)
    flow = still(scale) + torch.tensor([1.0, -2.0])
    fine, coarse = layer.sampling_locations(noise(1, size[0] * size[1], CHANNELS), flow, size)
    assert fine.shape == (1, HEADS, size[0] * size[1], 1, 2)
    torch.testing.assert_close(fine, coarse * 2)
    corner = 4 if scale == COARSE else 2
    wanted = torch.tensor([corner + 1.0, corner - 2.0])
    torch.testing.assert_close(fine.unflatten(2, size)[0, 0, 2, 2, 0], wanted)


def test_offsets_are_bounded_and_each_query_has_its_own() -> None:
    layer = ADVA(CHANNELS, HEADS, FINE, ADVAConfig())
    assert layer.offset_network is not None
    torch.nn.init.normal_(layer.offset_network.offsets.weight, std=30)
    offsets = layer.offset_network(noise(1, 63, CHANNELS), SIZE)
    for each, most in zip(offsets, MAX_OFFSET, strict=True):
        assert each.shape == (1, HEADS, 63, 9, 2)
        assert 0.9 * most < float(each.abs().max()) <= most
        assert len(each[0, 0].unique(dim=0)) == 63


def test_the_gradient_reaches_the_offsets() -> None:
    """At first that of the last convolution, which is zero; the one before follows once it has moved."""
    layer = ADVA(CHANNELS, HEADS, FINE, ADVAConfig())
    layer.zero()
    network = layer.offset_network
    assert network is not None
    query, target = noise(1, 63, CHANNELS, seed=5), noise(1, 63, CHANNELS, seed=6)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    reached = []
    for _ in range(2):
        optimizer.zero_grad()
        (layer(query, still(FINE), both_maps(), SIZE) - target).square().mean().backward()
        reached.append([bool(part.weight.grad.any()) for part in (network.offsets, network.context)])
        optimizer.step()
    assert reached == [[True, False], [True, True]]


def test_ablations() -> None:
    plain = ADVA(CHANNELS, HEADS, FINE, ADVAConfig(points=4, both_scales=False, learned_offsets=False))
    assert plain.offset_network is None
    assert plain.bias.shape == (HEADS, 4)
    assert plain(noise(1, 63, CHANNELS), still(FINE), both_maps(), SIZE).shape == (1, 63, CHANNELS)
    torch.testing.assert_close(point_grid(4, torch.device("cpu"))[0], torch.tensor([-0.5, -0.5]))
    with pytest.raises(ValueError, match="points is 8, expected a square number"):
        ADVAConfig(points=8)
