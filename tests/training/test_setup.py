"""What a run starts from and what it leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from networks import lively_model
from safetensors.torch import save_file

from limpet.core.errors import DataError, ModelError, WeightsError
from limpet.data import ClipConfig
from limpet.models import build_model
from limpet.models.mobilenet import MobileNetV2
from limpet.models.stcn import STCN
from limpet.registry import find
from limpet.training.rollout import RolloutConfig, rollout
from limpet.training.setup import build_training_model, check_clip_size, finish_run, init_from_shallower
from limpet.weights.weights_file import Weights, load_into, read_weights, sha256, write_weights

from .tiny import tiny_run


def test_a_model_starts_from_an_encoder(tmp_path: Path) -> None:
    encoder = MobileNetV2()
    state = encoder.state_dict() | {"features.0.1.num_batches_tracked": torch.tensor(9)}
    save_file({name: tensor.clone() for name, tensor in state.items()}, tmp_path / "imagenet.safetensors")
    model = build_training_model("deaot-t", tmp_path / "imagenet.safetensors", None)
    for name, tensor in model.encoder.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    with pytest.raises(WeightsError, match=r"imagenet\.safetensors does not fit the model: .* missing"):
        build_training_model("r50-deaot-l", tmp_path / "imagenet.safetensors", None)


def test_a_student_of_mobilevos_starts_with_the_encoder_in_both_of_its_own(tmp_path: Path) -> None:
    encoder = MobileNetV2()
    state = encoder.state_dict()
    save_file({name: tensor.clone() for name, tensor in state.items()}, tmp_path / "imagenet.safetensors")
    model = build_training_model("mobilevos-mobilenet-v2-small", tmp_path / "imagenet.safetensors", None)
    assert isinstance(model, STCN)
    for name, tensor in model.encoder.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    for name, tensor in model.value_encoder.encoder.state_dict().items():
        if name != "features.0.0.weight":
            assert torch.equal(tensor, state[name]), name
    masks = model.value_encoder.encoder.state_dict()["features.0.0.weight"]
    image = state["features.0.0.weight"]
    assert masks.shape[1] == 2
    torch.testing.assert_close(masks, image.mean(1, keepdim=True).expand_as(masks))
    with pytest.raises(WeightsError, match=r"imagenet\.safetensors does not fit the model"):
        build_training_model("mobilevos-resnet-18", tmp_path / "imagenet.safetensors", None)


def test_clips_have_a_size_that_the_model_takes() -> None:
    check_clip_size(tiny_run(model="stcn", clips=ClipConfig(size=64)))
    check_clip_size(tiny_run(model="stcn", clips=ClipConfig(size=65)))
    with pytest.raises(DataError, match=r"size is 64, expected 16k \+ 1 pixels for deaot-t, such as 65"):
        check_clip_size(tiny_run(model="deaot-t", clips=ClipConfig(size=64)))


def test_a_model_starts_from_an_earlier_stage(tmp_path: Path) -> None:
    earlier = build_training_model("deaot-t", None, None)
    write_weights(tmp_path / "w", Weights("deaot-t", earlier.state_dict()), torch.float32)
    model = build_training_model("deaot-t", None, tmp_path / "w")
    for name, tensor in earlier.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name
    with pytest.raises(WeightsError, match=r"w does not fit the model: \d+ missing .*another model"):
        build_training_model("aot-t", None, tmp_path / "w")


def test_starts_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="give encoder='FILE' or start='FILE', not both"):
        build_training_model("deaot-t", tmp_path / "a", tmp_path / "b")
    with pytest.raises(ModelError, match="there is no model called 'deaot'; did you mean"):
        build_training_model("deaot", None, None)
    with pytest.raises(WeightsError, match="there is no weights file at"):
        build_training_model("deaot-t", None, tmp_path / "b")


def test_a_finished_run_leaves_weights_that_say_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/limpet", "train", "--out", "my run"])
    average = lively_model()
    digest = finish_run(average, tiny_run(), tmp_path)
    assert digest == sha256(tmp_path / "weights.safetensors")
    found = read_weights(tmp_path / "weights.safetensors")
    assert found.model == "deaot-t"
    assert found.facts == {"command": "limpet train --out 'my run'", "steps": "6"}
    for name, tensor in average.state_dict().items():
        assert torch.equal(found.tensors[name], tensor.half().float()), name


def test_the_seed_decides_on_random_weights() -> None:
    torch.manual_seed(5)
    first = build_training_model("deaot-t", None, None, seed=3).state_dict()
    after = torch.rand(1)
    torch.manual_seed(6)
    again = build_training_model("deaot-t", None, None, seed=3).state_dict()
    other = build_training_model("deaot-t", None, None, seed=4).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert not torch.equal(first["id_bank.patches.weight"], other["id_bank.patches.weight"])
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after), "the chance of others is not touched"


def test_of_several_processes_only_the_first_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_rank", lambda: 1)
    assert finish_run(lively_model(), tiny_run(), tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("torch.distributed.get_rank", lambda: 0)
    assert finish_run(lively_model(), tiny_run(), tmp_path) == sha256(tmp_path / "weights.safetensors")


def test_a_grown_model_computes_what_the_shallow_one_did() -> None:
    torch.manual_seed(0)
    shallow = build_model(find("deaot-t").config()).eval()
    deep = build_model(find("deaot-b").config()).eval()
    load_into(deep, init_from_shallower(shallow.state_dict(), deep), "the shallow model")
    images, masks = torch.randn(3, 1, 3, 65, 65), torch.randint(0, 3, (3, 1, 65, 65))
    before, after = (rollout(model, images, masks, [2], RolloutConfig()) for model in (shallow, deep))
    assert torch.allclose(before.frame_losses, after.frame_losses, atol=1e-5)


def test_new_layers_learn_from_the_first_step() -> None:
    torch.manual_seed(0)
    shallow = build_model(find("deaot-t").config())
    deep = build_model(find("deaot-b").config())
    load_into(deep, init_from_shallower(shallow.state_dict(), deep), "the shallow model")
    images, masks = torch.randn(2, 1, 3, 33, 33), torch.randint(0, 2, (2, 1, 33, 33))
    rollout(deep, images, masks, [1], RolloutConfig()).loss.backward()
    gradient = deep.get_parameter("layers.2.long_term.projection.weight").grad
    assert gradient is not None and gradient.abs().max() > 0


def test_another_encoder_is_told_as_always() -> None:
    shallow = build_model(find("deaot-t").config())
    other = build_model(find("r50-deaot-l").config())
    with pytest.raises(WeightsError, match="does not fit the model"):
        load_into(other, init_from_shallower(shallow.state_dict(), other), "deaot-t.safetensors")


def test_a_plain_model_takes_all_but_the_offsets_of_a_deformable_one() -> None:
    torch.manual_seed(0)
    deformable = build_model(find("deaot-t-deformable").config()).eval()
    plain, deep = (build_model(find(name).config()).eval() for name in ("deaot-t", "deaot-l"))
    tensors = deformable.state_dict()
    assert any(".sampling." in name for name in tensors)
    for model in (plain, deep):
        load_into(model, init_from_shallower(tensors, model), "the deformable model")
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in plain.state_dict().items())


def test_a_deformable_model_keeps_its_own_offsets() -> None:
    torch.manual_seed(0)
    tensors = build_model(find("deaot-t-deformable").config()).state_dict()
    again = build_model(find("deaot-t-deformable").config())
    load_into(again, init_from_shallower(tensors, again), "itself")
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in again.state_dict().items())
