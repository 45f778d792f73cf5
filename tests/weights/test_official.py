"""The converter of official checkpoints: every name has its place, every layout is read, no code is run."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from golden import golden_weights, manifest_of
from networks import small_config
from torch import Tensor

from limpet.core.errors import WeightsError
from limpet.models import DeAOT, build_model
from limpet.registry import find
from limpet.weights.official import family_of, from_official, our_name, read_official
from limpet.weights.weights_file import load_into

PRESETS = {
    "deaott": "deaot-t",
    "deaots": "deaot-s",
    "deaotb": "deaot-b",
    "deaotl": "deaot-l",
    "r50_deaotl": "r50-deaot-l",
    "swinb_deaotl": "swin-b-deaot-l",
    "aott": "aot-t",
    "aotl": "aot-l",
    "r50_aotl": "r50-aot-l",
}


def official_shapes(folder: Path) -> dict[str, Tensor]:
    """The official state dict as tensors without numbers."""
    keys = manifest_of(folder)["keys"]
    return {name: torch.empty(facts["shape"], device="meta") for name, facts in keys.items()}


@pytest.mark.parametrize("folder", PRESETS)
def test_official_names_and_ours_map_one_to_one(shared: Path, folder: str) -> None:
    official = official_shapes(shared / "golden" / folder)
    surplus = (
        "num_batches_tracked",
        "LSTT.mask_token",
    )  # the second is AOT's, and its own code never reads it
    kept = {name: tensor for name, tensor in official.items() if not name.endswith(surplus)}
    family = family_of(official)
    assert family == PRESETS[folder].split("-")[-2]
    with torch.device("meta"):
        ours = build_model(find(PRESETS[folder]).config()).state_dict()
    assert len({our_name(name, family) for name in kept}) == len(kept), "two official names became one"
    converted = from_official(official)
    assert set(converted) == set(ours)
    wrong = {n: (t.shape, ours[n].shape) for n, t in converted.items() if t.shape != ours[n].shape}
    assert not wrong


@pytest.mark.parametrize(
    ("official", "ours"),
    [
        ("LSTT.layers.0.linear_U.bias", "layers.0.gate.bias"),
        ("module.LSTT.layers.2.self_attn.linear_V2.weight", "layers.2.self_propagation.id_value.weight"),
        ("LSTT.layers.1.short_term_attn.relative_emb_k.weight", "layers.1.short_term.relative.weight"),
        ("LSTT.decoder_norms.0.gn.weight", "output_norm.weight"),
        ("patch_wise_id_bank.bias", "id_bank.patches.bias"),
        ("decoder.conv_8x.gn.bias", "decoder.conv_8x.norm.bias"),
        ("encoder.layers.0.blocks.0.norm1.weight", "encoder.layers.0.blocks.0.norm1.weight"),
    ],
)
def test_names(official: str, ours: str) -> None:
    assert our_name(official) == ours


@pytest.mark.parametrize(
    ("official", "ours"),
    [
        ("LSTT.layers.0.linear_Q.bias", "layers.0.query_key.bias"),
        ("module.LSTT.layers.2.self_attn.linear_V.weight", "layers.2.self_attention.value.weight"),
        ("LSTT.layers.1.short_term_attn.relative_emb_v", "layers.1.short_term.relative.value"),
        ("LSTT.layers.0.activation.conv.weight", "layers.0.feed_forward.depthwise.weight"),
        ("LSTT.decoder_norms.2.weight", "output_norms.2.weight"),
        ("encoder.layers.0.blocks.0.norm1.weight", "encoder.layers.0.blocks.0.norm1.weight"),
    ],
)
def test_names_of_aot(official: str, ours: str) -> None:
    assert our_name(official, "aot") == ours


def small_official() -> dict[str, Tensor]:
    """A few official tensors; the second is a 1x1 convolution that we hold as a linear map."""
    return {
        "encoder.features.0.0.weight": torch.randn(4, 3, 3, 3),
        "LSTT.layers.0.short_term_attn.relative_emb_k.weight": torch.randn(49, 16, 1, 1),
        "id_norm.weight": torch.randn(8),
    }


def expected_of(official: dict[str, Tensor]) -> dict[str, Tensor]:
    first, second, third = official.values()
    return {
        "encoder.features.0.0.weight": first,
        "layers.0.short_term.relative.weight": second.flatten(1),
        "id_bank.norm.weight": third,
    }


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("layout", ["bare", "state_dict", "model"])
def test_all_layouts_of_checkpoints(tmp_path: Path, layout: str, prefix: str) -> None:
    official = small_official()
    state: dict[str, Any] = OrderedDict((prefix + name, tensor) for name, tensor in official.items())
    rest = {"optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}, "step": 7}
    torch.save(state if layout == "bare" else {layout: state, **rest}, tmp_path / "official.pth")
    found = read_official(tmp_path / "official.pth")
    assert same(found.tensors, expected_of(official))
    assert found.part == ("" if layout == "bare" else layout) and found.notes == ()


def shifted(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor + 1 for name, tensor in state.items()}


@pytest.mark.parametrize("part", ["state_dict_ema", "ema_state_dict", "model_ema", "ema"])
def test_averaged_weights_are_preferred_and_it_is_said(tmp_path: Path, part: str) -> None:
    last = small_official()
    torch.save({"state_dict": last, part: shifted(last)}, tmp_path / "x.pth")
    found = read_official(tmp_path / "x.pth")
    assert same(found.tensors, expected_of(shifted(last)))
    assert found.part == part
    assert found.notes == (f"the averaged weights were taken, its part {part!r}",)


def test_what_was_not_averaged_comes_from_the_last_weights(tmp_path: Path) -> None:
    last = small_official()
    average = {"id_norm.weight": last["id_norm.weight"] + 1}
    torch.save({"model": last, "ema": average}, tmp_path / "x.pth")
    found = read_official(tmp_path / "x.pth")
    assert same(found.tensors, expected_of(last | average))
    assert found.notes[-1] == "2 tensors that were not averaged come from its part 'model'"


def test_an_average_of_another_form_is_not_dropped_in_silence(tmp_path: Path) -> None:
    torch.save({"state_dict": small_official(), "ema": {"decay": 0.9, "shadow": []}}, tmp_path / "x.pth")
    found = read_official(tmp_path / "x.pth")
    assert found.part == "state_dict"
    assert found.notes == ("its part 'ema' is not a state dict of tensors and was not read",)


def test_counters_and_the_classifier_are_left_out() -> None:
    surplus = (
        "encoder.features.0.1.num_batches_tracked",
        "module.encoder.classifier.1.weight",
        "encoder.fc.bias",
    )
    official = small_official()
    with_surplus = official | {name: torch.zeros(()) for name in surplus}
    assert same(from_official(with_surplus), expected_of(official))


def test_unknown_names_are_not_dropped_in_silence() -> None:
    tensors = from_official({"LSTT.mask_token": torch.zeros(1)})
    with pytest.raises(
        WeightsError, match=r"aot\.pth does not fit the model: .*1 unexpected \(LSTT\.mask_token\)"
    ):
        load_into(DeAOT(small_config()), tensors, "aot.pth")


class Trap:
    """Pickled, it asks the reader to make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    path, proof = tmp_path / "evil.pth", tmp_path / "was-run"
    torch.save({"state_dict": small_official(), "extra": Trap(proof)}, path)
    with pytest.raises(WeightsError, match=r"evil\.pth is not a checkpoint that can be read safely"):
        read_official(path)
    assert not proof.exists()
    torch.load(path, weights_only=False)
    assert proof.exists(), "the trap must work, else this test proves nothing"


@pytest.mark.parametrize(
    "content",
    [
        [torch.zeros(1)],
        {"epoch": 3, "weight": torch.zeros(1)},
        {"state_dict": {"a": 3}},
        {},
    ],
    ids=["list", "numbers beside tensors", "numbers in the state dict", "nothing"],
)
def test_checkpoints_of_something_else_are_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(
        WeightsError, match=r"x\.pth holds no state dict of tensors; expected a checkpoint of AOT, DeAOT or"
    ):
        read_official(tmp_path / "x.pth")


def test_missing_and_truncated_files(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    with pytest.raises(WeightsError, match=r"there is no checkpoint at .*x\.pth"):
        read_official(path)
    torch.save(small_official(), path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(WeightsError, match=r"x\.pth is not a checkpoint that can be read safely"):
        read_official(path)


def test_a_whole_checkpoint_goes_into_the_model(shared: Path, tmp_path: Path) -> None:
    official = golden_weights(shared / "golden" / "deaott")
    torch.save({"state_dict": {f"module.{name}": t for name, t in official.items()}}, tmp_path / "t.pth")
    model = DeAOT(find("deaot-t").config())
    load_into(model, read_official(tmp_path / "t.pth").tensors, "t.pth")
    assert torch.equal(model.id_bank.patches.weight, official["patch_wise_id_bank.weight"])
    assert torch.equal(model.decoder.conv_out.bias, official["decoder.conv_out.bias"])
    relative = official["LSTT.layers.0.short_term_attn.relative_emb_k.weight"]
    assert torch.equal(model.layers[0].short_term.relative.weight, relative[..., 0, 0])
