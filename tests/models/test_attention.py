"""The two readings of a memory, against loops that spell out the definition."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from limpet.models.attention import MASKED_LOGIT, attend, attend_locally, skew

SIZES = [(1, 1), (2, 3), (5, 9), (9, 4), (11, 1), (13, 10)]  # smaller and larger than the window, lines
WINDOW = 7


def made_up(size: tuple[int, int], window: int = WINDOW, batch: int = 2) -> dict[str, Tensor]:
    """Queries, keys (8 wide), values (6 wide) and scores of offsets, in double precision."""
    tokens = size[0] * size[1]
    widths = {"query": 8, "key": 8, "value": 6, "relative": window * window}
    return {name: torch.randn(batch, tokens, width, dtype=torch.float64) for name, width in widths.items()}


def one_by_one(query: Tensor, key: Tensor, value: Tensor, relative: Tensor, size: tuple[int, int]) -> Tensor:
    """For each cell: softmax over the cells of its window that lie on the map."""
    height, width = size
    window = int(relative.shape[-1] ** 0.5)
    radius = window // 2
    rows = []
    for i in range(height):
        for j in range(width):
            here = i * width + j
            scores, values = [], []
            for di in range(-radius, radius + 1):
                for dj in range(-radius, radius + 1):
                    if 0 <= i + di < height and 0 <= j + dj < width:
                        there = (i + di) * width + j + dj
                        offset = (di + radius) * window + dj + radius
                        scores.append((query[:, here] * key[:, there]).sum(-1) + relative[:, here, offset])
                        values.append(value[:, there])
            shares = torch.softmax(torch.stack(scores), dim=0)
            rows.append((shares[..., None] * torch.stack(values)).sum(0))
    return torch.stack(rows, dim=1)


@pytest.mark.parametrize("size", SIZES)
def test_window_equals_the_loop(size: tuple[int, int]) -> None:
    inputs = made_up(size)
    torch.testing.assert_close(attend_locally(**inputs, size=size), one_by_one(**inputs, size=size))


@pytest.mark.parametrize("rows_per_band", [1, 3, 4, 13, 99])
def test_rows_in_a_band_make_no_difference(rows_per_band: int) -> None:
    size = (13, 10)
    inputs = made_up(size)
    found = attend_locally(**inputs, size=size, rows_per_band=rows_per_band)
    torch.testing.assert_close(found, one_by_one(**inputs, size=size))


def test_window_of_fifteen_as_in_the_paper() -> None:
    size = (9, 18)
    inputs = made_up(size, window=15, batch=1)
    torch.testing.assert_close(attend_locally(**inputs, size=size), one_by_one(**inputs, size=size))


def test_gradients_of_the_window_equal_those_of_the_loop() -> None:
    size = (5, 9)
    inputs = {name: tensor.requires_grad_() for name, tensor in made_up(size).items()}
    weights = torch.randn(2, 45, 6, dtype=torch.float64)
    found = torch.autograd.grad(
        (attend_locally(**inputs, size=size, rows_per_band=2) * weights).sum(), inputs.values()
    )
    expected = torch.autograd.grad((one_by_one(**inputs, size=size) * weights).sum(), inputs.values())
    for name, ours, theirs in zip(inputs, found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, msg=name)


def test_a_value_out_of_the_window_is_not_seen() -> None:
    size = (13, 10)
    inputs = made_up(size)
    before = attend_locally(**inputs, size=size)
    inputs["value"][:, 0] += 1e6  # cell (0, 0)
    changed = (attend_locally(**inputs, size=size) != before).any(-1)[0].view(size)
    assert changed[:4, :4].all()
    assert not changed[4:].any()
    assert not changed[:, 4:].any()


@pytest.mark.parametrize("length", [1, 4, 9])
def test_skew_moves_each_row_one_step_further(length: int) -> None:
    relative = torch.randn(2, 3, length, 5)
    skewed = skew(relative)
    assert skewed.shape == (2, 3, length, length + 4)
    expected = torch.full_like(skewed, MASKED_LOGIT)
    for row in range(length):
        expected[:, :, row, row : row + 5] = relative[:, :, row]
    assert torch.equal(skewed, expected)


def test_attend_equals_the_loop() -> None:
    query, key, value = torch.randn(2, 4, 8), torch.randn(2, 7, 8), torch.randn(2, 7, 5)
    for b in range(2):
        for q in range(4):
            scores = [float(query[b, q] @ key[b, m]) for m in range(7)]
            shares = torch.softmax(torch.tensor(scores), dim=0)
            expected = sum(shares[m] * value[b, m] for m in range(7))
            torch.testing.assert_close(attend(query, key, value)[b, q], expected, atol=1e-5, rtol=1e-5)
