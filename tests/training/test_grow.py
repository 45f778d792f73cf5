"""A deeper model begins as its shallower sibling."""

from __future__ import annotations

import pytest
import torch

from limpet.errors import WeightsError
from limpet.models import build_model
from limpet.registry import find
from limpet.training.grow import grow_layers
from limpet.training.rollout import RolloutConfig, rollout
from limpet.weights.files import load_into


def test_a_grown_model_computes_what_the_shallow_one_did() -> None:
    torch.manual_seed(0)
    shallow = build_model(find("deaot-t").config()).eval()
    deep = build_model(find("deaot-b").config()).eval()
    load_into(deep, grow_layers(shallow.state_dict(), deep), "the shallow model")
    images, masks = torch.randn(3, 1, 3, 65, 65), torch.randint(0, 3, (3, 1, 65, 65))
    before, after = (rollout(model, images, masks, [2], RolloutConfig()) for model in (shallow, deep))
    assert torch.allclose(before.frame_losses, after.frame_losses, atol=1e-5)


def test_new_layers_learn_from_the_first_step() -> None:
    torch.manual_seed(0)
    shallow = build_model(find("deaot-t").config())
    deep = build_model(find("deaot-b").config())
    load_into(deep, grow_layers(shallow.state_dict(), deep), "the shallow model")
    images, masks = torch.randn(2, 1, 3, 33, 33), torch.randint(0, 2, (2, 1, 33, 33))
    rollout(deep, images, masks, [1], RolloutConfig()).loss.backward()
    gradient = deep.get_parameter("layers.2.long_term.projection.weight").grad
    assert gradient is not None and gradient.abs().max() > 0


def test_another_encoder_is_told_as_always() -> None:
    shallow = build_model(find("deaot-t").config())
    other = build_model(find("r50-deaot-l").config())
    with pytest.raises(WeightsError, match="does not fit the model"):
        load_into(other, grow_layers(shallow.state_dict(), other), "deaot-t.safetensors")


def test_a_plain_model_takes_all_but_the_offsets_of_a_deformable_one() -> None:
    torch.manual_seed(0)
    deformable = build_model(find("deaot-t-deformable").config()).eval()
    plain, deep = (build_model(find(name).config()).eval() for name in ("deaot-t", "deaot-l"))
    tensors = deformable.state_dict()
    assert any(".sampling." in name for name in tensors)
    for model in (plain, deep):
        load_into(model, grow_layers(tensors, model), "the deformable model")
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in plain.state_dict().items())


def test_a_deformable_model_keeps_its_own_offsets() -> None:
    torch.manual_seed(0)
    tensors = build_model(find("deaot-t-deformable").config()).state_dict()
    again = build_model(find("deaot-t-deformable").config())
    load_into(again, grow_layers(tensors, again), "itself")
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in again.state_dict().items())
