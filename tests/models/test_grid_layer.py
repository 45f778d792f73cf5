"""One layer of DeVOS: flow is in the queries and keys of the previous frame alone, as the paper's equation has it."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from limpet.memory import LayerMemory
from limpet.models.adva import FINE, ADVAConfig, SourceMap
from limpet.models.grid_layer import GridLayer
from limpet.models.motion import Motion
from limpet.models.transformer import TransformerConfig

CONFIG = TransformerConfig(channels=16, heads=2, hidden_channels=32, window_radius=1, drop_path=0.0)
SIZE = (3, 4)


def noise(seed: int) -> torch.Tensor:
    return torch.randn(1, 12, 16, generator=torch.Generator().manual_seed(seed))


def motion(seed: int = 1) -> Motion:
    still = torch.zeros(1, 12, 2)
    return Motion((still, still), (noise(seed), noise(seed)), (noise(seed + 1), noise(seed + 1)))


@torch.no_grad()
def test_queries_and_keys_are_those_of_the_paper() -> None:
    torch.manual_seed(0)
    layer = GridLayer(CONFIG, ADVAConfig(), FINE)
    tokens, moves = noise(5), motion()
    memory = layer.remember(tokens, noise(6))
    assert memory.key is tokens, "a memory keeps what was observed, so that flow can be added to it later"

    def linear(part: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, (16,), layer.norm.weight, layer.norm.bias) @ part.weight.t() + part.bias

    flow = layer.flow_projection.weight.t()
    expected = linear(layer.query, tokens + moves.query[FINE] @ flow)
    torch.testing.assert_close(layer.moving_query(tokens, moves), expected)
    torch.testing.assert_close(
        layer.moving_key(memory, moves), linear(layer.key, tokens + moves.key[FINE] @ flow)
    )


@torch.no_grad()
def test_the_long_term_memory_is_read_without_flow_and_a_masked_frame_not_at_all() -> None:
    torch.manual_seed(0)
    layer = GridLayer(CONFIG, None, FINE)
    tokens, own = noise(5), layer.remember(noise(7), noise(6))
    torch.nn.init.zeros_(layer.flow_projection.weight)
    previous = [SourceMap(layer.moving_key(own, motion()), own.value, SIZE)] * 2
    two = LayerMemory(torch.cat([noise(8), own.key], dim=1), torch.cat([noise(9), own.value], dim=1))
    mask = torch.tensor([[0.0, 1.0]])
    hidden = layer(tokens, two, previous, motion(), SIZE, mask)
    torch.testing.assert_close(hidden, layer(tokens, own, previous, motion(3), SIZE))
    assert (layer(tokens, two, previous, motion(), SIZE) - hidden).abs().max() > 1e-3
