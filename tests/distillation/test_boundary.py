"""The sampled cells against a loop over neighbours."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from limpet.distillation.boundary import draw, near_outline, sample_cells


def slow_sobel(plane: Tensor, y: int, x: int) -> bool:
    """Whether the Sobel gradient of a plane, whose border is repeated outwards, is not zero."""
    height, width = plane.shape

    def at(dy: int, dx: int) -> float:
        return float(plane[min(max(y + dy, 0), height - 1), min(max(x + dx, 0), width - 1)])

    horizontal = sum(w * (at(d, 1) - at(d, -1)) for d, w in ((-1, 1), (0, 2), (1, 1)))
    vertical = sum(w * (at(1, d) - at(-1, d)) for d, w in ((-1, 1), (0, 2), (1, 1)))
    return (horizontal, vertical) != (0, 0)


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_the_band_is_the_widened_sobel_edge(radius: int) -> None:
    torch.manual_seed(0)
    inside = torch.zeros(2, 2, 9, 11, dtype=torch.bool)
    inside[0, 0, 3:7, 2:6] = True
    inside[0, 1, :, 9:] = True
    inside[1, 0] = torch.rand(9, 11) < 0.2
    found = near_outline(inside, radius)
    for b in range(2):
        for n in range(2):
            edges = [(y, x) for y in range(9) for x in range(11) if slow_sobel(inside[b, n], y, x)]
            for y in range(9):
                for x in range(11):
                    near = any(max(abs(y - v), abs(x - u)) <= radius for v, u in edges)
                    assert bool(found[b, n, y, x]) == near, (b, n, y, x)
    assert not found[1, 1].any(), "no object, no outline"
    assert not found[0, 1, :, 4].any() and found[0, 1, :, 9].all()


def test_an_object_that_fills_the_frame_has_no_outline() -> None:
    assert not near_outline(torch.ones(1, 1, 6, 6, dtype=torch.bool), 2).any()


def ring() -> Tensor:
    inside = torch.zeros(2, 3, 16, 16, dtype=torch.bool)
    inside[:, 0, 4:12, 4:12] = True
    inside[:, 1, 0:2, 0:2] = True
    return inside


def test_no_more_cells_than_the_limit_and_the_same_seed_takes_the_same() -> None:
    inside = ring()
    near = near_outline(inside, 1)
    few = sample_cells(inside, "boundary", 1, most=20)
    assert near[0, 0].sum() > 20 and (few & ~near).sum() == 0
    assert few.flatten(2).sum(2).tolist() == [[20, int(near[0, 1].sum()), 0]] * 2
    torch.manual_seed(1)
    one = sample_cells(inside, "boundary", 1, most=20)
    torch.manual_seed(1)
    assert torch.equal(one, sample_cells(inside, "boundary", 1, most=20))
    assert not torch.equal(one, sample_cells(inside, "boundary", 1, most=20))
    assert torch.equal(sample_cells(inside, "boundary", 1), near), "without a limit the whole band"


def test_random_cells_are_as_many_and_anywhere() -> None:
    inside = ring()
    near = near_outline(inside, 1)
    for most in (None, 20):
        found = sample_cells(inside, "random", 1, most)
        counts = near.flatten(2).sum(2).clamp_max(most or 1000)
        assert torch.equal(found.flatten(2).sum(2), counts)
        assert (found & ~near).any()
    assert sample_cells(inside, "all", 1, 20).all()


def test_every_cell_has_the_same_chance() -> None:
    torch.manual_seed(0)
    candidates = torch.zeros(400, 3, 3, dtype=torch.bool)
    candidates[:, :2] = True
    taken = draw(candidates, torch.full((400,), 3)).float().mean(0)
    assert not taken[2].any() and (taken[:2] - 0.5).abs().max() < 0.12
