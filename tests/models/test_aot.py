"""AOT does what every model must do, and what is its own."""

from __future__ import annotations

import pytest
import torch
from model_tester import ModelTester

from limpet.core.errors import ModelError
from limpet.models import AOTConfig
from limpet.models.transformer import TransformerConfig, sine_position

NARROW = TransformerConfig(channels=32, heads=4, hidden_channels=64, window_radius=3)


class TestAOT(ModelTester):
    config = AOTConfig(layers=2, transformer=NARROW)
    presets = ("aot-t", "aot-s", "aot-b", "aot-l", "r50-aot-l", "swin-b-aot-l")


class TestAOTWithLongTermMemory(ModelTester):
    config = AOTConfig(layers=1, long_term_gap=1, max_objects=3, transformer=NARROW)
    presets = ()


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


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"layers": 0}, ValueError, "at least one layer and one object"),
        ({"max_objects": 0}, ValueError, "at least one layer and one object"),
        ({"long_term_gap": 0}, ValueError, "long_term_gap is 0, expected at least 1 frame or None"),
        (
            {"encoder": "vgg"},
            ModelError,
            "there is no encoder called 'vgg'; the encoders are: mobilenet-v2, resnet-50, swin-b, and timm:NAME",
        ),
    ],
)
def test_members_that_cannot_be_are_refused(
    settings: dict[str, object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        AOTConfig(**settings)  # type: ignore[arg-type]
