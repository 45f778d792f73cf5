"""Frozen batch norm, frozen stages, and norms that are folded away."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from small_encoders import randomise_norms, small_swin
from torch import nn
from torch.nn import functional as F

from limpet.core.errors import ModelError
from limpet.models.frozen_norm import FrozenBatchNorm2d, fold_frozen_norms, freeze, train_affine
from limpet.models.mobilenet import MobileNetV2
from limpet.models.resnet import ResNet50


def test_freezing_more_stages_than_there_are_is_refused() -> None:
    with pytest.raises(ModelError, match=r"cannot freeze 6 stages: MobileNetV2 has 5 .* choose 0 to 5"):
        MobileNetV2(freeze_at=6)
    with pytest.raises(ModelError, match="choose 0 to 4"):
        freeze(small_swin(), -1)


def test_frozen_norm_is_batch_norm_in_eval_mode() -> None:
    norm, x = FrozenBatchNorm2d(6), torch.randn(2, 6, 5, 7)
    randomise_norms(norm)
    expected = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0, 1e-5)
    torch.testing.assert_close(norm(x), expected, atol=1e-6, rtol=1e-6)
    assert list(norm.parameters()) == []
    assert set(norm.state_dict()) == {"weight", "bias", "running_mean", "running_var"}


def test_frozen_norm_keeps_the_input_s_dtype_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert FrozenBatchNorm2d(4)(torch.randn(1, 4, 3, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_an_ordinary_batch_norm_s_file_loads_into_a_frozen_one() -> None:
    source, target = nn.BatchNorm2d(4), FrozenBatchNorm2d(4)
    source.train()(torch.randn(8, 4, 5, 5) * 3 + 1)
    state = source.state_dict()
    target.load_state_dict(state, strict=True)
    assert "num_batches_tracked" in state
    x = torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(target(x), source.eval()(x), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("build", [MobileNetV2, ResNet50])
def test_folding_gives_an_equal_function_without_norms(build: Callable[[int], nn.Module]) -> None:
    encoder, image = build(2).eval(), torch.randn(1, 3, 65, 81)
    randomise_norms(encoder)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    folded = fold_frozen_norms(encoder)
    with torch.inference_mode():
        for a, b in zip(encoder(image), folded(image), strict=True):
            assert (a - b).abs().max() < 1e-5 * a.abs().max()
    assert not any(isinstance(module, FrozenBatchNorm2d) for module in folded.modules())
    weights = {n: p.requires_grad for n, p in encoder.named_parameters()}
    assert {n: p.requires_grad for n, p in folded.named_parameters() if n in weights} == weights
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_folding_keeps_the_convolution_s_own_bias_and_foreign_norms() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), FrozenBatchNorm2d(8), nn.GroupNorm(2, 8), FrozenBatchNorm2d(8))
    randomise_norms(model)
    folded, x = fold_frozen_norms(model), torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(folded(x), model(x), atol=1e-5, rtol=1e-5)
    assert isinstance(folded[1], nn.Identity)
    assert isinstance(folded[3], FrozenBatchNorm2d)  # there is no convolution before it


def test_scale_and_shift_may_learn_while_the_statistics_stay() -> None:
    block = nn.Sequential(nn.Conv2d(3, 4, 1), FrozenBatchNorm2d(4))
    randomise_norms(block)
    names, x = list(block.state_dict()), torch.randn(2, 3, 5, 5)
    before = block(x)
    train_affine(block)
    assert sorted(block.state_dict()) == sorted(names), "files stay the same"
    after = block(x)
    torch.testing.assert_close(after, before)
    after.square().sum().backward()
    learns = {name for name, parameter in block.named_parameters() if parameter.grad is not None}
    assert learns == {"0.weight", "0.bias", "1.weight", "1.bias"}
    torch.testing.assert_close(fold_frozen_norms(block)(x), after)
