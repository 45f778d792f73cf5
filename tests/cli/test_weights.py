"""`limpet weights convert`: from an official checkpoint to a file that `limpet track --weights` takes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from golden import golden_weights

from limpet.weights.files import read_weights, sha256

from .clips import masks_of
from .command import Limpet
from .conftest import FRAMES


@pytest.fixture(scope="module")
def official(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with the official names of DeAOT-T, as the official code saves it."""
    tensors = golden_weights(shared / "golden" / "deaott")
    path = tmp_path_factory.mktemp("official") / "DeAOTT.pth"
    torch.save(
        {"state_dict": {f"module.{name}": tensor for name, tensor in tensors.items()}, "step": 1}, path
    )
    return path


def test_converted_weights_track(
    limpet: Limpet, official: Path, clip: Path, mask: Path, tmp_path: Path
) -> None:
    outcome = limpet(
        "weights", "convert", official, "--model", "deaot-t", "--half", "--out", "own.safetensors"
    )
    outcome.succeeded()
    digest = sha256(tmp_path / "own.safetensors")
    assert outcome.out == f"own.safetensors (sha256 {digest})\n"
    weights = read_weights(tmp_path / "own.safetensors")
    assert weights.model == "deaot-t"
    assert weights.facts == {"origin": "DeAOTT.pth", "origin_sha256": sha256(official)}
    limpet("track", clip, "--mask", mask, "--weights", "own.safetensors", "--out", "out").succeeded()
    assert len(masks_of(tmp_path / "out")) == FRAMES


def test_another_model(limpet: Limpet, official: Path, tmp_path: Path) -> None:
    outcome = limpet("weights", "convert", official, "--model", "deaot-s", "--out", "own.safetensors")
    outcome.refused(
        "DeAOTT.pth does not fit the model: ", " missing (layers.1.", "is it made for another model?"
    )
    assert not (tmp_path / "own.safetensors").exists()


class Trap:
    """Pickled, it asks the reader to make a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("was-run",)


def test_no_code_is_run_nor_advised_to(limpet: Limpet, tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.zeros(1)}, "more": Trap()}, tmp_path / "evil.pth")
    outcome = limpet("weights", "convert", "evil.pth", "--model", "deaot-t")
    outcome.refused("evil.pth is not a checkpoint that can be read safely: it asks for ", "mkdir to be run")
    assert "weights_only" not in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["evil.pth"]


def test_bad_files(limpet: Limpet, tmp_path: Path) -> None:
    (tmp_path / "notes.pth").write_text("notes\n" * 100)
    limpet("weights", "convert", "notes.pth", "--model", "deaot-t").refused(
        "notes.pth is not a checkpoint that can be read safely: it is damaged, or no file of torch.save"
    )
    limpet("weights", "convert", "gone.pth", "--model", "deaot-t").refused(
        "there is no checkpoint at gone.pth"
    )
    limpet("weights", "convert", ".", "--model", "a/b").refused("there is no model called 'a/b'")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.pth"]


def test_existing_files_are_kept(limpet: Limpet, tmp_path: Path) -> None:
    torch.save({}, tmp_path / "official.pth")
    (tmp_path / "deaot-t.safetensors").write_text("mine")
    limpet("weights", "convert", "official.pth", "--model", "deaot-t").refused(
        "deaot-t.safetensors exists already; choose another --out or add --overwrite"
    )
    limpet("weights", "convert", "official.pth", "--model", "deaot-t", "--overwrite").refused("does not fit")
    assert (tmp_path / "deaot-t.safetensors").read_text() == "mine", (
        "a conversion that fails replaces nothing"
    )
