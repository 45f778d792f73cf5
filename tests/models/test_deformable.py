"""Deformable attention against a slow reading of the paper's equations 3 to 7."""

from __future__ import annotations

import math

import pytest
import torch
from deformable_reference import literal_sample, random_locations, stir
from model_tester import ModelTester
from networks import lively_model
from tiny_encoder import TINY
from torch import nn

from limpet.models import Model
from limpet.models.deaot import DeAOTConfig
from limpet.models.deformable import (
    DeformableConfig,
    DeformableSampling,
    OffsetNetwork,
    bilinear_corners,
    reference_points,
    sample_memory,
    sample_tokens,
)
from limpet.models.gated_propagation import PropagationConfig

SIZES = [(1, 1), (1, 4), (3, 1), (2, 2), (5, 4), (4, 7)]


@pytest.mark.parametrize("size", SIZES)
def test_sampling_equals_the_equations(size: tuple[int, int]) -> None:
    tokens, locations = torch.randn(2, size[0] * size[1], 6, dtype=torch.float64), random_locations(size)
    torch.testing.assert_close(
        sample_tokens(tokens, locations, size), literal_sample(tokens, locations, size)
    )


def test_weights_add_up_and_cells_exist() -> None:
    cells, shares = bilinear_corners(random_locations((4, 7), count=200), (4, 7))
    torch.testing.assert_close(shares.sum(-1), torch.ones_like(shares[..., 0]))
    assert shares.min() >= 0
    assert 0 <= cells.min() <= cells.max() < 28


def test_gradients_reach_tokens_and_locations() -> None:
    tokens = torch.randn(1, 20, 4, dtype=torch.float64, requires_grad=True)
    # away from whole cells, where bilinear reading has a kink
    locations = (
        torch.randint(0, 3, (1, 2, 6, 2)) + 0.2 + 0.6 * torch.rand(1, 2, 6, 2, dtype=torch.float64)
    ).requires_grad_()
    assert torch.autograd.gradcheck(lambda t, p: sample_tokens(t, p, (5, 4)), (tokens, locations))


def test_each_frame_and_part_of_a_memory_is_sampled_alike() -> None:
    size, parts = (4, 5), 2
    memory, locations = torch.randn(2, 3 * 20, 8, dtype=torch.float64), random_locations(size)
    found = sample_memory(memory, locations, size, parts).view(2, 3, 5, 8)
    for frame in range(3):
        for part in range(parts):
            channels = slice(4 * part, 4 * part + 4)
            expected = literal_sample(memory[:, 20 * frame : 20 * frame + 20, channels], locations, size)
            torch.testing.assert_close(found[:, frame, :, channels], expected)


@pytest.mark.parametrize(("size", "factor"), [((5, 8), 1), ((5, 8), 2), ((6, 7), 3), ((1, 1), 4)])
def test_reference_points_are_the_middles_of_blocks(size: tuple[int, int], factor: int) -> None:
    points = reference_points(size, factor, torch.device("cpu")).tolist()
    expected = [
        [sum(range(i, i + factor)) / factor, sum(range(j, j + factor)) / factor]
        for i in range(0, size[0], factor)
        for j in range(0, size[1], factor)
    ]
    assert points == expected


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_one_offset_for_each_group_and_point_within_max_offset(factor: int) -> None:
    config = DeformableConfig(grid_factor=factor, groups=4, max_offset=1.5)
    network, size = OffsetNetwork(8, config), (5, 8)
    nn.init.normal_(network.offsets.weight, std=100.0)
    offsets = network(torch.randn(2, 40, 8), size)
    assert offsets.shape == (2, 4, math.ceil(5 / factor) * math.ceil(8 / factor), 2)
    assert 1.4 < offsets.abs().max() <= 1.5
    network.zero_offsets()
    assert not network(torch.randn(2, 40, 8), size).any()


def test_a_stride_computes_what_the_printed_network_has_at_the_points() -> None:
    torch.manual_seed(0)
    dense = OffsetNetwork(8, DeformableConfig(grid_factor=1))
    strided = OffsetNetwork(8, DeformableConfig(grid_factor=2))
    strided.load_state_dict(dense.state_dict())
    query = torch.randn(1, 30, 8)
    everywhere = dense(query, (5, 6)).unflatten(2, (5, 6))
    torch.testing.assert_close(strided(query, (5, 6)).unflatten(2, (3, 3)), everywhere[:, :, ::2, ::2])


def test_groups_move_apart() -> None:
    """A group's offsets come from its own channels of the query alone."""
    torch.manual_seed(0)
    sampling, query = DeformableSampling(8, DeformableConfig(groups=4)), torch.randn(1, 30, 8)
    stir(sampling)
    before = sampling.sampling_locations(query, (5, 6))
    query[..., :2] += 1.0  # the first group's
    changed = (sampling.sampling_locations(query, (5, 6)) != before).flatten(2).any(-1)
    assert changed.tolist() == [[True, False, False, False]]


@pytest.mark.parametrize("wrong", [{"grid_factor": 0}, {"groups": 0}, {"max_offset": 0.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="grid_factor and groups"):
        DeformableConfig(**wrong)


class TestDeformable(ModelTester):
    config = DeAOTConfig(
        encoder=TINY,
        layers=2,
        propagation=PropagationConfig(
            channels=32, attention_channels=16, value_channels=32, deformable=DeformableConfig()
        ),
    )

    @pytest.fixture
    def model(self) -> Model:
        """With random offsets: while they are zero the network that makes them has no gradient."""
        model = lively_model(self.config).eval()
        stir(model)
        return model

    presets = ("deaot-t-deformable", "deaot-s-deformable", "deaot-b-deformable", "deaot-l-deformable")
