"""Deformable attention against a slow reading of the paper's equations 3 to 7."""

from __future__ import annotations

import math

import pytest
import torch
from model_tester import ModelTester
from networks import lively_model
from torch import Tensor, nn

from limpet.memory import LayerMemory
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
from limpet.models.gated_propagation import LongTermPropagation, PropagationConfig, SelfPropagation

NARROW = {"channels": 16, "attention_channels": 8, "value_channels": 16, "window_radius": 1}
SIZES = [(1, 1), (1, 4), (3, 1), (2, 2), (5, 4), (4, 7)]


def literal_sample(tokens: Tensor, places: Tensor, size: tuple[int, int]) -> Tensor:
    """Eqs. 3 and 4 as they are printed: every cell is weighed by I for every place; places are clamped to the map."""
    height, width = size
    batch, groups, count, _ = places.shape
    share = tokens.shape[-1] // groups
    found = torch.zeros(batch, count, tokens.shape[-1], dtype=tokens.dtype)
    for b in range(batch):
        for s in range(groups):
            channels = slice(s * share, (s + 1) * share)
            for n in range(count):
                y = min(max(places[b, s, n, 0].item(), 0.0), height - 1.0)
                x = min(max(places[b, s, n, 1].item(), 0.0), width - 1.0)
                for i in range(height):
                    for j in range(width):
                        weight = max(0.0, 1 - abs(y - i)) * max(0.0, 1 - abs(x - j))
                        found[b, n, channels] += weight * tokens[b, i * width + j, channels]
    return found


def random_places(size: tuple[int, int], groups: int = 2, count: int = 5, batch: int = 2) -> Tensor:
    """Some on the map, some up to two cells off it."""
    span = torch.tensor([size[0] + 3.0, size[1] + 3.0], dtype=torch.float64)
    return torch.rand(batch, groups, count, 2, dtype=torch.float64) * span - 2


def stir(module: nn.Module) -> None:
    """Random offsets, for at first all are zero."""
    for part in module.modules():
        if isinstance(part, OffsetNetwork):
            nn.init.normal_(part.offsets.weight, std=0.5)
            nn.init.normal_(part.offsets.bias, std=0.5)


@pytest.mark.parametrize("size", SIZES)
def test_sampling_equals_the_equations(size: tuple[int, int]) -> None:
    tokens, places = torch.randn(2, size[0] * size[1], 6, dtype=torch.float64), random_places(size)
    torch.testing.assert_close(sample_tokens(tokens, places, size), literal_sample(tokens, places, size))


def test_shares_add_up_and_cells_exist() -> None:
    cells, shares = bilinear_corners(random_places((4, 7), count=200), (4, 7))
    torch.testing.assert_close(shares.sum(-1), torch.ones_like(shares[..., 0]))
    assert shares.min() >= 0
    assert 0 <= cells.min() <= cells.max() < 28


def test_gradients_reach_tokens_and_places() -> None:
    tokens = torch.randn(1, 20, 4, dtype=torch.float64, requires_grad=True)
    # away from whole cells, where bilinear reading has a kink
    places = (
        torch.randint(0, 3, (1, 2, 6, 2)) + 0.2 + 0.6 * torch.rand(1, 2, 6, 2, dtype=torch.float64)
    ).requires_grad_()
    assert torch.autograd.gradcheck(lambda t, p: sample_tokens(t, p, (5, 4)), (tokens, places))


def test_each_frame_and_part_of_a_memory_is_sampled_alike() -> None:
    size, parts = (4, 5), 2
    memory, places = torch.randn(2, 3 * 20, 8, dtype=torch.float64), random_places(size)
    found = sample_memory(memory, places, size, parts).view(2, 3, 5, 8)
    for frame in range(3):
        for part in range(parts):
            channels = slice(4 * part, 4 * part + 4)
            expected = literal_sample(memory[:, 20 * frame : 20 * frame + 20, channels], places, size)
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
def test_one_offset_for_each_group_and_point_within_reach(factor: int) -> None:
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


def literal_gated_attention(query: Tensor, key: Tensor, value: Tensor, gate: Tensor, scale: float) -> Tensor:
    """Eqs. 6 and 7, one query after another, for key (K, A) and value (K, V) already re-sampled."""
    rows = []
    for q, u in zip(query, gate, strict=True):
        scores = [math.exp(scale * float((q * k).sum())) for k in key]
        attended = sum(score / sum(scores) * v for score, v in zip(scores, value, strict=True))
        rows.append(attended * u)
    return torch.stack(rows)


@torch.no_grad()
@pytest.mark.parametrize("factor", [1, 2])
def test_long_term_equals_the_equations(factor: int) -> None:
    config = PropagationConfig(**NARROW, deformable=DeformableConfig(factor, groups=4, max_offset=2.0))
    module, size = LongTermPropagation(config).double().eval(), (3, 4)
    stir(module)
    query, gate = torch.randn(1, 12, 8).double(), torch.randn(1, 12, 32).double()
    memory = LayerMemory(torch.randn(1, 24, 8).double(), torch.randn(1, 24, 32).double())
    assert module.sampling is not None
    places = module.sampling.sampling_locations(query, size).double()
    frames = [slice(0, 12), slice(12, 24)]
    key = torch.cat([literal_sample(memory.key[:, f], places, size) for f in frames], dim=1)
    value = torch.cat(
        [
            torch.cat(
                [literal_sample(half[:, f], places, size) for half in memory.value.chunk(2, -1)], dim=-1
            )
            for f in frames
        ],
        dim=1,
    )
    gated = literal_gated_attention(query[0], key[0], value[0], gate[0], 8**-0.5)
    plane = module.depthwise(gated.T.unflatten(1, size)[None])
    expected = module.projection(plane.flatten(2).transpose(1, 2))
    torch.testing.assert_close(module(query, memory, gate, size), expected)


@torch.no_grad()
def test_self_propagation_equals_the_equations() -> None:
    """Here features are re-sampled before they are projected: eq. 5 to the letter."""
    config = PropagationConfig(**NARROW, deformable=DeformableConfig(2, groups=4, max_offset=2.0))
    module, size = SelfPropagation(config).double().eval(), (3, 4)
    stir(module)
    own = torch.randn(1, 12, 32).double()
    visual, identity = own.chunk(2, -1)
    query = module.query_key(own)
    assert module.sampling is not None
    places = module.sampling.sampling_locations(query, size).double()
    seen, known = literal_sample(visual, places, size), literal_sample(identity, places, size)
    key = module.query_key(torch.cat([seen, known], dim=-1))
    silu = nn.functional.silu
    value = silu(torch.cat([module.visual_value(seen), module.id_value(known)], dim=-1))
    gate = silu(torch.cat([module.visual_gate(visual), module.id_gate(identity)], dim=-1))
    gated = literal_gated_attention(query[0], key[0], value[0], gate[0], 8**-0.5)
    plane = module.depthwise(gated.T.unflatten(1, size)[None])
    torch.testing.assert_close(module(own, size), module.projection(plane.flatten(2).transpose(1, 2)))


@pytest.mark.parametrize("kind", [LongTermPropagation, SelfPropagation])
def test_at_rest_with_every_token_it_is_plain_attention(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    plain = kind(PropagationConfig(**NARROW)).eval()
    moved = kind(PropagationConfig(**NARROW, deformable=DeformableConfig(grid_factor=1))).eval()
    moved.load_state_dict(plain.state_dict(), strict=False)
    moved.sampling.offset_network.zero_offsets()
    size, tokens = (3, 4), torch.randn(2, 12, 32)
    memory = LayerMemory(torch.randn(2, 24, 8), torch.randn(2, 24, 32))
    inputs = (tokens[..., :8], memory, tokens, size) if kind is LongTermPropagation else (tokens, size)
    torch.testing.assert_close(moved(*inputs), plain(*inputs))


@pytest.mark.parametrize("wrong", [{"grid_factor": 0}, {"groups": 0}, {"max_offset": 0.0}])
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="grid_factor and groups"):
        DeformableConfig(**wrong)


def test_widths_must_fit_the_groups() -> None:
    with pytest.raises(ValueError, match="multiple of the 3 groups"):
        PropagationConfig(**NARROW, deformable=DeformableConfig(groups=3))


class TestDeformable(ModelTester):
    config = DeAOTConfig(
        layers=2,
        propagation=PropagationConfig(
            channels=32, attention_channels=16, value_channels=32, deformable=DeformableConfig()
        ),
    )

    @pytest.fixture
    def model(self) -> Model:
        """With random offsets: at rest the network that makes them has no gradient."""
        model = lively_model(self.config).eval()
        stir(model)
        return model

    presets = ("deaot-t-deformable", "deaot-s-deformable", "deaot-b-deformable", "deaot-l-deformable")
