"""A model made ready for inference computes the same, and the one it came from stays as it was."""

from __future__ import annotations

import pytest
import torch
from networks import lively_model
from torch import Tensor

from limpet.core.errors import ModelError
from limpet.models import DeAOT, inference
from limpet.models.frozen_norm import FrozenBatchNorm2d
from limpet.models.identity import one_hot
from limpet.models.inference import for_inference, has_bf16

CPU = torch.device("cpu")


def model_with_statistics() -> DeAOT:
    """A model whose frozen norms do something, so that folding them matters."""
    model = lively_model()
    for module in model.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            module.bias.uniform_(-0.1, 0.1)
    return model


@torch.no_grad()
def two_frames(model: DeAOT) -> Tensor:
    """Scores (1, slots, h, w) of a second frame after a reference."""
    torch.manual_seed(3)
    images, mask = torch.randn(2, 3, 65, 97), torch.randint(0, 3, (1, 65, 97))
    dtype = model.encoder_projector.weight.dtype
    first, second = (model.encode(image[None].to(dtype)) for image in images)
    _, _, memory = model.refer(first, model.identify(one_hot(mask, 3, dtype)))
    tokens, _ = model.propagate(second, memory, memory)
    return model.decode(tokens, second)


def test_folded_model_equals_the_trained_one_in_float32() -> None:
    model = model_with_statistics()
    expected = two_frames(model.eval())
    ready = for_inference(model.train(), CPU, "fp32")
    assert sum(isinstance(module, FrozenBatchNorm2d) for module in ready.modules()) == 0
    torch.testing.assert_close(
        two_frames(ready), expected, atol=1e-5 * expected.abs().max().item(), rtol=1e-5
    )


def test_bf16_comes_close() -> None:
    model = model_with_statistics()
    expected = two_frames(model.eval())
    ready = for_inference(model, CPU, "bf16")
    assert {parameter.dtype for parameter in ready.parameters()} == {torch.bfloat16}
    found = two_frames(ready)
    assert found.dtype == torch.float32  # scores are enlarged and compared in full precision
    assert (found - expected).abs().mean() < 0.03 * expected.std()
    assert (found.argmax(1) == expected.argmax(1)).float().mean() > 0.98


def test_the_model_it_came_from_stays_as_it_was() -> None:
    model = lively_model().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    ready = for_inference(model, CPU, "bf16")
    assert not ready.training
    assert not any(parameter.requires_grad for parameter in ready.parameters())
    assert model.training
    assert all(parameter.requires_grad for parameter in model.layers.parameters())
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(("has", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_takes_bf16_exactly_where_the_processor_has_it(
    has: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "has_bf16", lambda device: has)
    assert for_inference(lively_model(), CPU).encoder_projector.weight.dtype == dtype


def test_no_bf16_on_a_device_that_is_not_known() -> None:
    assert not has_bf16(torch.device("meta"))


def test_unknown_precision() -> None:
    with pytest.raises(ModelError, match=r"precision is 'fp16', expected auto, fp32 or bf16"):
        for_inference(lively_model(), CPU, "fp16")  # type: ignore[arg-type]
