"""Which model a name stands for, and what is said of names that stand for none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import WeightsError
from limpet.segment import Click, load_segmenter
from limpet.segment.clicks.click_config import NAME

from .conftest import photo


def test_none_means_no_clicks() -> None:
    assert load_segmenter("none") is None


def test_weights_of_ones_own(untrained: Path) -> None:
    model = load_segmenter(str(untrained), device="cpu")
    assert model is not None and model.name == NAME and "brush and the livewire finish" in model.note
    mask = model.segment(photo(0)[0], [Click(64, 48)])
    assert mask.shape == (96, 128) and mask.dtype == np.uint8


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.safetensors", "cannot be read as a weights file"),
        ("sam.onnx", "SAM has an encoder and a decoder"),
        ("a.onnx,b.onnx,c.onnx", "SAM has an encoder and a decoder"),
        ("a.pth", "expected weights of the click model"),
        ("a.safetensors,b.safetensors", "expected weights of the click model"),
        ("", "expected weights of the click model"),
        ("a.onnx,b.onnx", "there is no file at a.onnx"),
    ],
)
def test_other_names_are_refused(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=words):
        load_segmenter(name)


def test_a_device_that_is_not_there_is_refused(untrained: Path) -> None:
    with pytest.raises(Exception, match="device"):
        load_segmenter(str(untrained), device="cuda:99")
