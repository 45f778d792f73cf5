"""A clip, its mask and a weights file, made once; and the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from networks import NARROW
from tiny_encoder import TINY

from limpet import registry
from limpet.cli.options import MODEL
from limpet.models import DeAOTConfig, build_model
from limpet.registry import find
from limpet.weights.weights_file import Weights, write_weights

from .clips import picture, write_first_mask, write_video
from .command import Limpet

FRAMES = 8
FULL: DeAOTConfig = find(MODEL).config()


def narrow() -> DeAOTConfig:
    """The default model with fewer channels."""
    return replace(FULL, encoder=TINY, propagation=replace(NARROW, deformable=FULL.propagation.deformable))


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clip.mp4, first.png and the default model's weights file (untrained); tests only read it.

    In narrow/ is a weights file of the same name, of a narrow model.
    """
    folder = tmp_path_factory.mktemp("stock")
    write_video(folder / "clip.mp4", [picture(index) for index in range(FRAMES)])
    write_first_mask(folder / "first.png")
    (folder / "narrow").mkdir()
    for place, config in ((folder, FULL), (folder / "narrow", narrow())):
        torch.manual_seed(0)
        write_weights(place / f"{MODEL}.safetensors", Weights(MODEL, build_model(config).state_dict()))
    return folder


@pytest.fixture(scope="session")
def clip(stock: Path) -> Path:
    return stock / "clip.mp4"


@pytest.fixture(scope="session")
def mask(stock: Path) -> Path:
    return stock / "first.png"


@pytest.fixture(scope="session")
def full_weights(stock: Path) -> Path:
    """The default model's, for commands in processes of their own."""
    return stock / f"{MODEL}.safetensors"


@pytest.fixture
def weights(stock: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Those of a narrow model, which stands in the place of the default model for this test."""
    monkeypatch.setitem(registry._ENTRIES, MODEL, replace(find(MODEL), factory=narrow))
    return stock / "narrow" / f"{MODEL}.safetensors"


@pytest.fixture
def limpet(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Limpet:
    """The command line, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Limpet(capsys)
