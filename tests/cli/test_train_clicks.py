"""`limpet train-clicks` on a few photos: what it leaves makes masks, and goes on where it was stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
from training.tiny import make_stills

from limpet.weights.weights_file import read_weights

from .command import Limpet

SMALL = ("--batch", 2, "--size", 64, "--held-out", 0)


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stills(tmp_path_factory.mktemp("stills")).root


def test_trained_weights_make_masks(limpet: Limpet, stills: Path, clip: Path, tmp_path: Path) -> None:
    command = ("train-clicks", "--out", "run", "--stills", stills, *SMALL)
    outcome = limpet(*command, "--steps", 1)
    outcome.succeeded()
    assert "run/weights.safetensors (sha256 " in outcome.out
    assert (tmp_path / "run" / "curves.png").exists()
    facts = read_weights(tmp_path / "run" / "weights.safetensors").facts
    assert "train-clicks" in facts["command"] and facts["steps"] == "1"
    limpet(*command, "--steps", 1).refused("run holds a run already", "--resume")
    limpet(*command, "--steps", 2, "--resume").succeeded()
    limpet(*command, "--steps", 2, "--batch", 3, "--resume").refused("batch was 2, is now 3")
    limpet(
        "segment", clip, "--box", "4,4,40,40", "--point", "20,20", "--out", "m.png",
        "--segmenter", "run/weights.safetensors",
    ).succeeded()  # fmt: skip


def test_without_data_there_is_nothing_to_train_on(limpet: Limpet) -> None:
    limpet("train-clicks", "--out", "run").refused("--stills DIR", "--video ROOT:SPLIT")
