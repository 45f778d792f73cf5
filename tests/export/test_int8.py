"""Biases that take back what rounding weights adds: sums are right again on average, and weights stay."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from networks import frames, mask_of
from runtime.bundles import SIZE
from torch import nn

from limpet.export.calibration_clip import SampleClip
from limpet.export.int8 import correct_for_int8, rounded, rounded_layers, rounding_shift
from limpet.export.program import Programs


def test_rounding_has_a_scale_for_each_channel() -> None:
    weight = torch.tensor([[1.27, 0.014, -0.5], [-127.0, 0.4, 0.6], [0.0, 0.0, 0.0]])
    assert torch.allclose(
        rounded(weight), torch.tensor([[1.27, 0.01, -0.5], [-127.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    )


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(8, 6, 3, stride=2, padding=2, dilation=2), (2, 8, 9, 11)),
        (nn.Conv2d(8, 8, 3, groups=8), (2, 8, 9, 11)),
        (nn.Linear(8, 6), (2, 5, 8)),
    ],
)
def test_lost_sums_are_the_difference_on_average(
    layer: nn.Conv2d | nn.Linear, shape: tuple[int, ...]
) -> None:
    x, coarse = torch.rand(shape), copy.deepcopy(layer)
    with torch.no_grad():
        coarse.weight.copy_(rounded(layer.weight))
        apart = layer(x) - coarse(x)
        channels = apart.dim() - 1 if isinstance(layer, nn.Linear) else 1
        expected = apart.movedim(channels, -1).flatten(0, -2).mean(0)
        assert torch.allclose(rounding_shift(layer, x), expected, atol=1e-6)
    assert expected.abs().max() > 1e-5


def test_the_encoder_is_nearer_with_corrected_biases(programs: Programs) -> None:
    clip = SampleClip(tuple(frames(3, *SIZE)), mask_of(4, 9, height=SIZE[0], width=SIZE[1]), "noise")
    before, after = model_of(programs), model_of(correct_for_int8(programs, clip))
    image = torch.from_numpy(np.random.default_rng(5).standard_normal((1, 3, *programs.config.network_size)))
    exact = before.encoder(image.float())[-1]
    plain, corrected = (coarse(model).encoder(image.float())[-1] for model in (before, after))
    assert (corrected - exact).norm() < 0.8 * (plain - exact).norm()
    weights = [n for n, p in before.named_parameters() if not torch.equal(p, after.get_parameter(n))]
    assert weights and all(name.startswith("encoder.") and name.endswith(".bias") for name in weights)


def test_small_weights_are_left_alone(programs: Programs) -> None:
    encoder = model_of(programs).encoder
    layers = rounded_layers(encoder, smallest=300_000)
    assert [layer.weight.numel() for layer in layers] == [307_200, 409_600]
    assert len(rounded_layers(encoder, smallest=0)) > 50


def model_of(programs: Programs) -> nn.Module:
    return programs.step.module.tracker.model


@torch.no_grad()
def coarse(model: nn.Module) -> nn.Module:
    """A copy whose encoder has weights as int8 stores them."""
    model = copy.deepcopy(model)
    for part in model.encoder.modules():
        if isinstance(part, nn.Conv2d):
            part.weight.copy_(rounded(part.weight))
    return model
