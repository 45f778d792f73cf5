"""The long short-term transformer block: its settings, its positions, and what it reads."""

from __future__ import annotations

import pytest
import torch

from limpet.memory import LayerMemory
from limpet.models.transformer import LongShortTermBlock, TransformerConfig, sine_position


def test_positions_are_sines_of_the_way_along_each_axis() -> None:
    position = sine_position((3, 5), 8).unflatten(0, (3, 5))
    angle = 2 * torch.pi * torch.arange(5) / 4  # the last column has gone all round
    slow = angle / 10_000**0.5
    columns = torch.stack([angle.sin(), angle.cos(), slow.sin(), slow.cos()], dim=1)
    torch.testing.assert_close(position[0, :, 4:], columns, atol=1e-5, rtol=0)
    assert torch.equal(position[2, :, 4:], position[0, :, 4:]), "the second half tells the column alone"
    assert torch.equal(position[:, 4, :4], position[:, 0, :4]), "the first half tells the row alone"
    assert sine_position((1, 1), 8).tolist() == [[0.0, 1.0] * 4]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 30}, "channels must be a multiple of 4 and of the heads"),
        ({"channels": 36, "heads": 8}, "channels must be a multiple of 4 and of the heads"),
        ({"hidden_channels": 48}, "hidden_channels of 32"),
        ({"heads": 0}, "widths must be positive"),
        ({"window_radius": -1}, "window_radius not negative"),
    ],
)
def test_widths_that_do_not_fit_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformerConfig(**settings)


@torch.no_grad()
def test_frames_that_are_masked_are_not_read() -> None:
    torch.manual_seed(0)
    block, size = LongShortTermBlock(TransformerConfig(32, 4, 64, 1)).eval(), (3, 4)
    tokens, observation = block.observe(torch.randn(1, 12, 32), sine_position(size, 32))
    recent = block.remember(observation, torch.randn(1, 12, 32))
    memory = LayerMemory(torch.randn(1, 36, 32), torch.randn(1, 36, 32))
    first_and_last = LayerMemory(*(torch.cat([part[:, :12], part[:, 24:]], dim=1) for part in memory))
    masked = block(tokens, observation, memory, recent, size, torch.tensor([[1.0, 0.0, 1.0]]))
    torch.testing.assert_close(masked, block(tokens, observation, first_and_last, recent, size))
    assert not torch.allclose(masked, block(tokens, observation, memory, recent, size))
