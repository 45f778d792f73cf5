"""A clip, its mask and a weights file, made once; and the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from limpet.cli.options import MODEL
from limpet.models import DeAOT
from limpet.registry import find
from limpet.weights.weights_file import Weights, write_weights

from .clips import picture, write_first_mask, write_video
from .command import Limpet

FRAMES = 8


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with clip.mp4, first.png and the default model's weights file (untrained); tests only read it."""
    folder = tmp_path_factory.mktemp("stock")
    write_video(folder / "clip.mp4", [picture(index) for index in range(FRAMES)])
    write_first_mask(folder / "first.png")
    torch.manual_seed(0)
    network = DeAOT(find(MODEL).config())
    write_weights(folder / f"{MODEL}.safetensors", Weights(MODEL, network.state_dict()))
    return folder


@pytest.fixture(scope="session")
def clip(stock: Path) -> Path:
    return stock / "clip.mp4"


@pytest.fixture(scope="session")
def mask(stock: Path) -> Path:
    return stock / "first.png"


@pytest.fixture(scope="session")
def weights(stock: Path) -> Path:
    return stock / f"{MODEL}.safetensors"


@pytest.fixture
def limpet(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Limpet:
    """The command line, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Limpet(capsys)
