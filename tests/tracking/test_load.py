"""What ``limpet.load`` makes of its arguments, and how it refuses those that no tracker can have."""

from __future__ import annotations

import pytest
import torch

import limpet
from limpet.cli import options
from limpet.core.errors import ModelError, WeightsError
from limpet.tracking import load
from limpet.tracking.memory_policies import Bounded
from limpet.weights.weights_file import read_weights
from limpet.weights.zoo import find_weights


def test_a_name_brings_weights_calibration_and_the_settings_asked_for() -> None:
    tracker = limpet.load(
        "deaot-t-deformable", device="cpu", max_size=240, enlarge=1.0, objects_at_once=3, precision="fp32",
        memory="bounded", memory_budget_mb=50,
    )  # fmt: skip
    assert (tracker.name, tracker.slots, tracker.sizes.max_short) == ("deaot-t-deformable", 3, 240)
    assert tracker.memory == Bounded(gap=5, max_bytes=50_000_000)
    path = find_weights("deaot-t-deformable", None)
    content = read_weights(path)
    assert tracker.calibration == load.calibration_of(content, path)
    assert tracker.calibration is not None and len(tracker.weights_sha256) == 64
    name = "id_bank.patches.weight"
    assert torch.equal(tracker.model.state_dict()[name], content.tensors[name])


def test_weights_bring_the_name_of_their_model() -> None:
    assert limpet.load(weights=find_weights("deaot-nano", None), device="cpu").name == "deaot-nano"
    assert limpet.load(device="cpu").name == load.DEFAULT_MODEL


def test_weights_of_another_model_are_refused() -> None:
    with pytest.raises(
        WeightsError, match=r"holds weights of 'deaot-nano', not of 'deaot-s'; pass name='deaot-nano'"
    ):
        limpet.load("deaot-s", weights=find_weights("deaot-nano", None), device="cpu")


def test_scales_make_a_tracker_of_several_views() -> None:
    tracker = limpet.load("deaot-nano", device="cpu", flip=True, scales=(1.0, 1.5))
    assert str(tracker.augmentation) == "flip, scales 1 1.5"


def test_loading_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(ModelError, match=r"there is no model called 'deaot-tt'; did you mean .*deaot-t"):
        limpet.load("deaot-tt")


def test_loading_from_a_missing_file_says_so() -> None:
    with pytest.raises(WeightsError, match=r"there is no weights file at nowhere\.safetensors"):
        limpet.load("deaot-t", weights="nowhere.safetensors", device="cpu")


def test_an_unknown_device_is_named() -> None:
    with pytest.raises(ModelError, match="there is no device 'gpu'; use auto, cpu or cuda"):
        limpet.load("deaot-t", device="gpu")


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match="device 'meta' is not supported; use auto, cpu or cuda"):
        limpet.load("deaot-t", device="meta")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(ModelError, match="device is cuda, but torch finds no GPU here; pass device='cpu'"):
        limpet.load("deaot-t", device="cuda")


def test_the_command_line_enlarges_as_the_library_does() -> None:
    assert options.ENLARGE == load.ENLARGE
