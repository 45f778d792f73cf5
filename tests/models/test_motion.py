"""Grids of two scales, flow on them, and flow from features alone."""

from __future__ import annotations

import pytest
import torch

from limpet.models.blocks import as_plane, as_tokens
from limpet.models.deformable import reference_points
from limpet.models.motion import (
    MATCH_RADIUS,
    FlowEncoder,
    coarse_size,
    inconsistency,
    match_flow,
    median_3x3,
    to_coarse,
    to_fine,
)


@pytest.mark.parametrize("size", [(6, 8), (7, 9), (5, 8), (1, 3)])
def test_a_slope_stays_one_on_the_coarse_grid_and_back(size: tuple[int, int]) -> None:
    here = reference_points(size, 1, torch.device("cpu"))
    rows = as_plane(here[None], size)  # 1 2 h w: the row and column of each cell
    coarse = to_coarse(rows)
    assert coarse.shape[-2:] == coarse_size(size)
    inner = coarse[..., 1 : size[0] // 2, 1 : size[1] // 2]
    places = as_plane(
        reference_points(coarse_size(size), 1, torch.device("cpu"))[None] * 2, coarse_size(size)
    )
    torch.testing.assert_close(inner, places[..., 1 : size[0] // 2, 1 : size[1] // 2])
    back = to_fine(places, size)
    assert back.shape == rows.shape
    even = tuple(side - (side + 1) % 2 for side in size)  # what lies beyond the last coarse cell repeats it
    torch.testing.assert_close(back[..., : even[0], : even[1]], rows[..., : even[0], : even[1]])


def test_median_is_torch_s() -> None:
    plane = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(plane, (1, 1, 1, 1), mode="replicate")
    expected = padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(4).median(dim=4).values
    torch.testing.assert_close(median_3x3(plane), expected)


def test_inconsistency() -> None:
    flow = torch.zeros(1, 4, 6, 10)
    flow[:, 1], flow[:, 3] = 2, -2
    assert inconsistency(flow).abs().max() < 1e-6
    flow[:, 2] = 3
    torch.testing.assert_close(inconsistency(flow), torch.full((1, 2, 6, 10), 3.0))


@pytest.mark.parametrize(("align_corners", "side"), [(True, 16), (False, 16)])
def test_flow_encoder(align_corners: bool, side: int) -> None:
    torch.manual_seed(0)
    extra = 1 if align_corners else 0
    encoder = FlowEncoder(8, align_corners)
    flow = torch.zeros(2, 4, 4 * 3 + extra, 4 * 5 + extra)
    flow[:, 0], flow[:, 2], flow[:, 3] = 32, -32, 8  # pixels; two cells down
    motion = encoder(flow)
    h, w = 3 + extra, 5 + extra
    assert [each.shape for each in motion.query] == [(2, h * w, 8), (2, -(-h // 2) * -(-w // 2), 8)]
    for place in motion.to_previous:
        torch.testing.assert_close(place, torch.tensor([2.0, 0.0]).expand_as(place))
    assert (motion.query[0] - motion.key[0]).abs().max() > 1e-3, "there and back are two things"
    assert not motion.to_previous[0].requires_grad


@pytest.mark.parametrize("way", [(0, 0), (2, -3), (-4, 5)])
def test_match_flow_finds_features_that_moved(way: tuple[int, int]) -> None:
    size = (12, 16)
    big = torch.randn(1, 16, 30, 34, generator=torch.Generator().manual_seed(1))
    previous = big[:, :, 9 : 9 + 12, 9 : 9 + 16]
    current = big[:, :, 9 - way[0] : 21 - way[0], 9 - way[1] : 25 - way[1]]  # what is seen moved by ``way``
    flow = match_flow(as_tokens(current), as_tokens(previous), size, torch.Size((45, 61)), True)
    assert flow.shape == (1, 4, 45, 61)
    inner = flow[0, :, 22:-22, 26:-26]
    wanted = torch.tensor([-way[0], -way[1], *way]) * 16.0
    torch.testing.assert_close(inner.mean(dim=(1, 2)), wanted, atol=1.0, rtol=0)


def test_match_flow_looks_no_further_than_its_window() -> None:
    size = (4, 30)
    tokens = torch.randn(1, 120, 8, generator=torch.Generator().manual_seed(2))
    far = as_tokens(as_plane(tokens, size).roll(15, dims=3))
    flow = match_flow(far, tokens, size, torch.Size((13, 117)), True)
    assert flow.abs().max() <= MATCH_RADIUS * 16
