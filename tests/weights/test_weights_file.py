"""limpet's own weights files: what is written is read, and what does not fit is refused as a whole."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from networks import lively_model, small_config
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import limpet
from limpet.core.errors import LimpetError, WeightsError
from limpet.distillation.distill_model import STUDENT, TEACHER
from limpet.models import DeAOT
from limpet.tracking.load import DEFAULT_MODEL
from limpet.weights import zoo as store
from limpet.weights.identify import describe_weights
from limpet.weights.weights_file import (
    FORMAT,
    Weights,
    compare,
    load_into,
    parts,
    read_encoder,
    read_weights,
    sha256,
    write_facts,
    write_weights,
)
from limpet.weights.zoo import bundled_weights, find_weights


def some_tensors() -> dict[str, Tensor]:
    return {"matrix": torch.randn(3, 4), "counts": torch.tensor([1, 70_000]), "scalar": torch.tensor(0.1)}


def test_half_precision_round_trip(tmp_path: Path) -> None:
    tensors, path = some_tensors(), tmp_path / "w.safetensors"
    write_weights(path, Weights("deaot-t", tensors, {"origin": "here", "licence": "free"}))
    found = read_weights(path)
    assert found.model == "deaot-t"
    assert found.facts == {"origin": "here", "licence": "free"}
    assert set(found.tensors) == set(tensors)
    for name in ("matrix", "scalar"):
        assert found.tensors[name].dtype == torch.float32
        assert torch.equal(found.tensors[name], tensors[name].half().float())
    assert torch.equal(found.tensors["counts"], tensors["counts"]), "integers keep their type"
    with safe_open(path, "pt") as file:
        assert file.get_tensor("matrix").dtype == torch.float16


def test_new_facts_leave_every_byte_of_the_tensors(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    before = write_weights(old, Weights("deaot-t", some_tensors(), {"origin": "here"}))
    data = old.read_bytes()
    after = write_facts(old, {"confidence": "{}"}, new)
    found = read_weights(new)
    assert found.facts == {"origin": "here", "confidence": "{}"} and found.model == "deaot-t"
    assert after == sha256(new) != before == sha256(old)
    begin = 8 + int.from_bytes(data[:8], "little")
    assert new.read_bytes().endswith(data[begin:])
    assert write_facts(new, {"confidence": "{}"}, old) == after, (
        "in place too, and the same facts give the same file"
    )
    with pytest.raises(WeightsError, match="there is no weights file"):
        write_facts(tmp_path / "none", {}, new)


def test_full_precision_keeps_every_bit(tmp_path: Path) -> None:
    model = lively_model()
    write_weights(tmp_path / "w", Weights("deaot-t", model.state_dict()), torch.float32)
    copy = DeAOT(small_config())
    load_into(copy, read_weights(tmp_path / "w").tensors, "w")
    for name, tensor in model.state_dict().items():
        assert torch.equal(copy.state_dict()[name], tensor), name


def test_weights_may_share_memory_and_lie_in_any_order(tmp_path: Path) -> None:
    base = torch.randn(2, 4, 3, 3).to(memory_format=torch.channels_last)
    tensors = {"one": base, "same": base, "part": base[:, 1:3]}
    write_weights(tmp_path / "w", Weights("m", tensors), torch.float32)
    found = read_weights(tmp_path / "w").tensors
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "w"
    digest = write_weights(path, Weights("m", {"a": torch.arange(3.0)}))
    assert digest == sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    for _ in range(8):  # the order of the header's facts must not be left to chance
        assert digest == write_weights(path, Weights("m", {"a": torch.arange(3.0)}))
    assert digest != write_weights(tmp_path / "other", Weights("m", {"a": torch.arange(1.0, 4.0)}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 70_000.0], ids=str)
def test_values_that_half_precision_cannot_hold_are_not_written(tmp_path: Path, value: float) -> None:
    tensors = {"good": torch.ones(2), "bad": torch.tensor([1.0, value])}
    with pytest.raises(
        WeightsError, match="w is not written: values of bad are NaN or infinite, or too large for float16"
    ):
        write_weights(tmp_path / "w", Weights("m", tensors))
    assert list(tmp_path.iterdir()) == []


def test_foreign_files_are_told_apart_from_damaged_ones(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(WeightsError, match=r"there is no weights file at .*w\.safetensors"):
        read_weights(path)
    with pytest.raises(WeightsError, match="there is no weights file at"):
        read_weights(tmp_path)  # a folder
    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(
        WeightsError,
        match=r"is a safetensors file but not one of limpet's; convert .* limpet weights convert",
    ):
        read_weights(path)
    path.write_bytes(b"PK\x03\x04 a zip, as torch writes it")
    with pytest.raises(WeightsError, match=r"is a checkpoint of PyTorch, .*limpet weights convert FILE\.pth"):
        read_weights(path)


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w"
    write_weights(path, Weights("m", some_tensors()))
    whole = path.read_bytes()
    for cut in (0, 7, 40, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(
            WeightsError, match=r"is not a whole safetensors file .*; it may be truncated: copy or"
        ):
            read_weights(path)


def test_an_encoder_comes_from_any_file_without_counters(tmp_path: Path) -> None:
    tensors = {
        "features.0.weight": torch.randn(2, 2).half(),
        "features.1.num_batches_tracked": torch.tensor(5),
    }
    save_file(tensors, tmp_path / "imagenet.safetensors")
    found = read_encoder(tmp_path / "imagenet.safetensors")
    assert list(found) == ["features.0.weight"]
    assert found["features.0.weight"].dtype == torch.float32


def test_of_a_whole_model_the_encoder_is_taken(tmp_path: Path) -> None:
    tensors = {"encoder.features.0.weight": torch.ones(2), "decoder.weight": torch.zeros(3)}
    save_file(tensors, tmp_path / "model.safetensors")
    assert list(read_encoder(tmp_path / "model.safetensors")) == ["features.0.weight"]


def two_layers() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def test_what_does_not_fit_is_listed_and_nothing_is_loaded() -> None:
    model = two_layers()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tensors = {name: torch.full_like(tensor, 9) for name, tensor in before.items()}
    tensors["0.weight"] = torch.zeros(5, 2)
    del tensors["1.bias"]
    tensors["2.weight"] = torch.zeros(1)
    with pytest.raises(WeightsError) as caught:
        load_into(model, tensors, "mine.safetensors")
    assert str(caught.value) == (
        "mine.safetensors does not fit the model: 1 missing (1.bias); 1 unexpected (2.weight); "
        "1 of another shape (0.weight is (5, 2), expected (3, 2)); is it made for another model?"
    )
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), f"{name} was loaded although others did not fit"


def test_parts_that_are_missing_as_a_whole_are_named_as_such() -> None:
    with pytest.raises(WeightsError, match=r"4 missing \(0\.\* \(2 tensors\), 1\.\* \(2 tensors\)\)"):
        load_into(two_layers(), {}, "empty")


def test_load_refuses_weights_of_another_model(tmp_path: Path) -> None:
    path = tmp_path / "w"
    write_weights(path, Weights("deaot-s", {"a": torch.ones(1)}))
    message = "w holds weights of 'deaot-s', not of 'deaot-t'; pass name='deaot-s'"
    with pytest.raises(WeightsError, match=message):
        limpet.load("deaot-t", weights=path, device="cpu")
    write_weights(path, Weights("deaot-t", {"a": torch.ones(1)}))
    with pytest.raises(WeightsError, match=r"w does not fit the model: \d+ missing .*; 1 unexpected \(a\)"):
        limpet.load("deaot-t", weights=path, device="cpu")


def test_load_takes_a_file_and_says_what_it_took(tmp_path: Path) -> None:
    from limpet.registry import find

    model = DeAOT(find("deaot-t").config())
    digest = write_weights(tmp_path / "w", Weights("deaot-t", model.state_dict()))
    tracker = limpet.load("deaot-t", weights=tmp_path / "w", device="cpu", precision="fp32", max_size=64)
    assert (tracker.name, tracker.weights_sha256) == ("deaot-t", digest)
    expected = model.id_bank.patches.weight.half().float()
    assert torch.equal(tracker.model.id_bank.patches.weight, expected)
    assert not tracker.model.training
    unnamed = limpet.load(weights=tmp_path / "w", device="cpu", precision="fp32")
    assert (unnamed.name, unnamed.weights_sha256) == ("deaot-t", digest), "the file says what it is of"


def test_bundled_weights_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BUNDLED", tmp_path)
    assert bundled_weights("deaot-t") is None
    with pytest.raises(
        WeightsError, match=r"no weights for 'deaot-t' ship with limpet \(those that do: none\)"
    ):
        find_weights("deaot-t", None)
    (tmp_path / "deaot-s.safetensors").touch()
    convert = r"or convert the official DeAOTT_PRE_YTB_DAV\.pth \(https://github.com/.*\) with limpet weights convert"
    with pytest.raises(
        WeightsError, match=rf"\(those that do: deaot-s\); train some, {convert}, and pass weights='FILE'$"
    ):
        find_weights("deaot-t", None)
    with pytest.raises(WeightsError, match=r"deaot-s\); train some and pass teacher_weights='FILE'$"):
        find_weights("deaot-nano", None, "teacher_weights")
    assert find_weights("deaot-s", None) == tmp_path / "deaot-s.safetensors"
    assert find_weights("deaot-t", "mine") == Path("mine"), "the user's file comes first"


def test_the_weights_that_ship_fit_into_a_wheel() -> None:
    files = list(store.BUNDLED.glob("*.safetensors"))
    assert {file.stem for file in files} == {DEFAULT_MODEL, STUDENT, TEACHER, "mobilevos-mobilenet-v2-small"}
    assert sum(file.stat().st_size for file in files) < 55e6, (
        "what else is in the wheel takes 2 MB; 60 MB in all"
    )
    assert all(file.with_suffix(".md").is_file() for file in files), "every file has a card"


def test_the_header_can_be_read_without_limpet(tmp_path: Path) -> None:
    write_weights(tmp_path / "w", Weights("deaot-t", {"a": torch.ones(1)}, {"licence": "Apache-2.0"}))
    with safe_open(tmp_path / "w", "pt") as file:
        header = file.metadata()
    assert header["model"] == "deaot-t"
    assert json.loads(header["facts"]) == {"licence": "Apache-2.0"}


def tensors(**shapes: tuple[int, ...]) -> dict[str, Tensor]:
    return {name.replace("_", "."): torch.empty(shape, device="meta") for name, shape in shapes.items()}


def test_equal_names_and_shapes_fit() -> None:
    one = tensors(a_b=(2, 3), a_c=(4,))
    assert compare(one, dict(reversed(one.items())))
    assert compare(one, one).lines() == []


def test_every_difference_is_listed() -> None:
    expected = tensors(a_b=(2, 3), a_c=(4,), d_e=(1,), d_f=(1,))
    given = tensors(a_b=(3, 2), a_c=(4,), a_x=(1,), g_h=(1,), g_i=(2,), g_j=())
    fit = compare(expected, given)
    assert not fit
    assert fit.counts == (2, 4, 1)
    assert fit.lines() == [
        "missing: d.* (2 tensors)",
        "unexpected: a.x",
        "unexpected: g.* (3 tensors)",
        "of another shape: a.b is (3, 2), expected (2, 3)",
    ]


def test_a_summary_names_the_first_three() -> None:
    expected = tensors(a_k=(1,), b_k=(1,), c_k=(1,), d_k=(1,))
    assert compare(expected, {}).summary() == "4 missing (a.k, b.k, c.k, …)"


def test_a_part_is_as_large_as_can_be() -> None:
    names = ["layers.1.a.weight", "layers.1.a.bias", "layers.1.b", "layers.2.a", "head"]
    assert parts(names, ["layers.0.a"]) == ["layers.1.* (3 tensors)", "layers.2.a", "head"]
    assert parts(names, ["layers.1.b.c"]) == [
        "layers.1.a.* (2 tensors)", "layers.1.b", "layers.2.a", "head"
    ]  # fmt: skip
    assert parts(names, []) == ["layers.* (4 tensors)", "head"]
    assert parts([], ["a"]) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    """Whatever wrote them: the objects would be lost in silence."""
    path = tmp_path / "w.safetensors"
    write_weights(path, Weights("deaot-t", {"a.b": torch.ones(3), "c": torch.ones(2)}))
    tensors = {"a.b": torch.tensor([1.0, value, 2.0]), "c": torch.ones(2)}
    save_file(tensors, path, {"format": FORMAT, "model": "deaot-t", "facts": "{}"})
    for read in (read_weights, read_encoder, describe_weights):
        with pytest.raises(WeightsError, match=r"cannot be used: values of a\.b are NaN or infinite"):
            read(path)


def test_weights_that_are_whole_numbers_are_refused() -> None:
    model = torch.nn.Linear(2, 2)
    with pytest.raises(WeightsError, match="weight, bias are int32, where float32 is expected"):
        load_into(model, {name: t.int() for name, t in model.state_dict().items()}, "w.safetensors")
    load_into(model, {name: t.double() for name, t in model.state_dict().items()}, "w.safetensors")


def test_a_checkpoint_of_pytorch_is_pointed_to_the_converter(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "w.pth")
    with pytest.raises(
        WeightsError, match=r"w\.pth is a checkpoint of PyTorch.*limpet weights convert FILE\.pth"
    ):
        read_weights(tmp_path / "w.pth")


def test_a_file_of_tensors_is_measured_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.safetensors"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(
        LimpetError, match=r"has 1099511627776 bytes; at most 17179869184 .*LIMPET_MAX_TENSOR_BYTES"
    ):
        read_weights(path)
    write_weights(path, Weights("deaot-t", {"a": torch.ones(300)}))
    monkeypatch.setenv("LIMPET_MAX_TENSOR_BYTES", "600")
    with pytest.raises(LimpetError, match="at most 600 are read"):
        read_weights(path)
