"""Official checkpoints of STCN: names, layouts, what is changed on the way, and what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from golden import golden_folder, manifest_of
from torch import Tensor

from limpet.core.errors import WeightsError
from limpet.models import build_model
from limpet.registry import find
from limpet.weights.convert import convert, fitting, which_model
from limpet.weights.identify import describe_weights, match_models
from limpet.weights.official import family_of, from_official, read_official
from limpet.weights.official_stcn import MASK_CONV, from_official_stcn, stcn_name


def official() -> dict[str, Tensor]:
    """The official state dict: small tensors that take their shapes from one number each."""
    keys = manifest_of(golden_folder() / "stcn")["keys"]
    return {
        name: torch.full((), index % 7 / 10).expand(facts["shape"])
        for index, (name, facts) in enumerate(keys.items())
    }


def stage_0() -> dict[str, Tensor]:
    """The same of the first stage."""
    state = official()
    return state | {"value_encoder.conv1.weight": state["value_encoder.conv1.weight"][:, :4]}


def test_every_name_has_its_place() -> None:
    state = official()
    assert family_of(state) == "stcn"
    kept = [name for name in state if not name.endswith("num_batches_tracked")]
    assert len({stcn_name(name) for name in kept}) == len(kept), "two official names became one"
    with torch.device("meta"):
        ours = build_model(find("stcn").config()).state_dict()
    converted = from_official(state)
    assert set(converted) == set(ours)
    assert {n: t.shape for n, t in converted.items()} == {n: t.shape for n, t in ours.items()}
    assert which_model(Path("stcn_s03.pth"), match_models(converted)) == "stcn"


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("key_encoder.res2.0.bn1.weight", "encoder.layer1.0.bn1.weight"),
        ("key_proj.key_proj.weight", "key_projection.weight"),
        ("value_encoder.layer2.0.downsample.0.weight", "value_encoder.encoder.layer2.0.downsample.0.weight"),
        ("value_encoder.fuser.block1.downsample.bias", "value_encoder.fuser.block1.shortcut.bias"),
        (
            "value_encoder.fuser.attention.ChannelGate.mlp.3.bias",
            "value_encoder.fuser.attention.channel_gate.2.bias",
        ),
        ("module.decoder.up_16_8.out_conv.downsample.weight", "decoder.up_8x.block.shortcut.weight"),
        ("decoder.pred.bias", "decoder.conv_out.bias"),
    ],
)
def test_names(name: str, ours: str) -> None:
    assert stcn_name(name) == ours


def test_biases_of_convolutions_go_into_the_norms_behind_them() -> None:
    state = {
        "key_encoder.bn1.running_mean": torch.tensor([5.0]),
        "value_encoder.conv1.bias": torch.tensor([1.0]),
        "value_encoder.bn1.running_mean": torch.tensor([3.0]),
        "value_encoder.layer2.0.downsample.0.bias": torch.tensor([4.0]),
        "value_encoder.layer2.0.downsample.1.running_mean": torch.tensor([2.0]),
    }
    tensors, notes = from_official_stcn(state)
    assert tensors == {
        "encoder.bn1.running_mean": 5,
        "value_encoder.encoder.bn1.running_mean": 2,
        "value_encoder.encoder.layer2.0.downsample.1.running_mean": -2,
    }
    assert len(notes) == 1 and notes[0].startswith("the biases of 2 convolutions of the value encoder went")


def test_a_file_of_stage_0_gets_the_channel_that_it_lacks(tmp_path: Path) -> None:
    torch.save(stage_0(), tmp_path / "stcn_s0.pth")
    content = read_official(tmp_path / "stcn_s0.pth")
    weight = content.tensors[MASK_CONV]
    assert (
        weight.shape[1] == 5
        and (weight[:, 4] == 0).all()
        and (weight[:, :4] == stage_0()["value_encoder.conv1.weight"]).all()
    )
    assert any("stage 0" in note and "fifth one of zeros" in note for note in content.notes)
    assert fitting(tmp_path / "stcn_s0.pth", "stcn", content.tensors)


def test_a_checkpoint_of_a_training_says_so(tmp_path: Path) -> None:
    state: dict[str, Any] = {f"module.{name}": tensor for name, tensor in official().items()}
    torch.save(
        {"it": 1500, "network": state, "optimizer": {}, "scheduler": {}}, tmp_path / "run_checkpoint.pth"
    )
    content = read_official(tmp_path / "run_checkpoint.pth")
    assert content.part == "network"
    assert (
        content.notes[0]
        == "it is a checkpoint of a training after 1500 iterations, of which the weights were taken"
    )
    assert any("it is stcn" in text for _, text in describe_weights(tmp_path / "run_checkpoint.pth"))


def test_each_family_is_named_for_what_it_is(tmp_path: Path) -> None:
    torch.save(official(), tmp_path / "stcn.pth")
    with pytest.raises(
        WeightsError, match=r"stcn\.pth is a checkpoint of stcn, not of deaot-t; pass model='stcn'"
    ) as caught:
        convert(tmp_path / "stcn.pth", "deaot-t")
    assert "\n" not in str(caught.value) and not getattr(caught.value, "__notes__", [])
    keys = manifest_of(golden_folder() / "deaott")["keys"]
    deaot = {name: torch.zeros(()).expand(facts["shape"]) for name, facts in keys.items()}
    torch.save(deaot, tmp_path / "DeAOTT.pth")
    with pytest.raises(WeightsError, match="is a checkpoint of deaot-t, not of stcn; pass model='deaot-t'"):
        convert(tmp_path / "DeAOTT.pth", "stcn")
