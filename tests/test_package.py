"""The public names of the package, and what asking for them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import limpet
from limpet.core.errors import ModelError, WeightsError


def test_listing_models_builds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network was built")

    monkeypatch.setattr("torch.nn.Module.__init__", refuse)
    assert limpet.list_models()[:4] == ["deaot-t", "deaot-s", "deaot-b", "deaot-l"]


def test_importing_the_package_and_the_command_line_brings_no_torch_along() -> None:
    heavy = ("torch", "cv2", "av", "limpet.models", "limpet.tracking")
    code = f"import sys, limpet.cli.main; print([name for name in sys.modules if name.startswith({heavy})])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    for name in limpet.__all__:
        assert getattr(limpet, name) is not None
    assert limpet.__version__[0].isdigit()


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'limpet' has no attribute 'trakcer'"):
        limpet.trakcer  # noqa: B018


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
