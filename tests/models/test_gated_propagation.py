"""The gated (deformable) propagation module against a slow reading of equations 5 to 7."""

from __future__ import annotations

import math

import pytest
import torch
from deformable_reference import literal_sample, stir
from torch import Tensor, nn

from limpet.memory import LayerMemory
from limpet.models.deformable import (
    DeformableConfig,
)
from limpet.models.gated_propagation import LongTermPropagation, PropagationConfig, SelfPropagation

NARROW = {"channels": 16, "attention_channels": 8, "value_channels": 16, "window_radius": 1}


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
    locations = module.sampling.sampling_locations(query, size).double()
    frames = [slice(0, 12), slice(12, 24)]
    key = torch.cat([literal_sample(memory.key[:, f], locations, size) for f in frames], dim=1)
    value = torch.cat(
        [
            torch.cat(
                [literal_sample(half[:, f], locations, size) for half in memory.value.chunk(2, -1)], dim=-1
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
    locations = module.sampling.sampling_locations(query, size).double()
    seen, known = literal_sample(visual, locations, size), literal_sample(identity, locations, size)
    key = module.query_key(torch.cat([seen, known], dim=-1))
    silu = nn.functional.silu
    value = silu(torch.cat([module.visual_value(seen), module.id_value(known)], dim=-1))
    gate = silu(torch.cat([module.visual_gate(visual), module.id_gate(identity)], dim=-1))
    gated = literal_gated_attention(query[0], key[0], value[0], gate[0], 8**-0.5)
    plane = module.depthwise(gated.T.unflatten(1, size)[None])
    torch.testing.assert_close(module(own, size), module.projection(plane.flatten(2).transpose(1, 2)))


@pytest.mark.parametrize("kind", [LongTermPropagation, SelfPropagation])
def test_without_offsets_and_with_every_token_it_is_plain_attention(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    plain = kind(PropagationConfig(**NARROW)).eval()
    moved = kind(PropagationConfig(**NARROW, deformable=DeformableConfig(grid_factor=1))).eval()
    moved.load_state_dict(plain.state_dict(), strict=False)
    moved.sampling.offset_network.zero_offsets()
    size, tokens = (3, 4), torch.randn(2, 12, 32)
    memory = LayerMemory(torch.randn(2, 24, 8), torch.randn(2, 24, 32))
    inputs = (tokens[..., :8], memory, tokens, size) if kind is LongTermPropagation else (tokens, size)
    torch.testing.assert_close(moved(*inputs), plain(*inputs))


def test_widths_must_fit_the_groups() -> None:
    with pytest.raises(ValueError, match="multiple of the 3 groups"):
        PropagationConfig(**NARROW, deformable=DeformableConfig(groups=3))


@torch.no_grad()
@pytest.mark.parametrize("deformable", [None, DeformableConfig(2, groups=4)])
def test_frames_that_are_masked_are_not_read(deformable: DeformableConfig | None) -> None:
    torch.manual_seed(0)
    module, size = LongTermPropagation(PropagationConfig(**NARROW, deformable=deformable)).eval(), (3, 4)
    stir(module)
    query, gate = torch.randn(1, 12, 8), torch.randn(1, 12, 32)
    memory = LayerMemory(torch.randn(1, 36, 8), torch.randn(1, 36, 32))
    first_and_last = LayerMemory(*(torch.cat([part[:, :12], part[:, 24:]], dim=1) for part in memory))
    masked = module(query, memory, gate, size, torch.tensor([[1.0, 0.0, 1.0]]))
    torch.testing.assert_close(masked, module(query, first_and_last, gate, size))
    assert not torch.allclose(masked, module(query, memory, gate, size))
