"""`limpet weights convert`: from an official checkpoint to a file that `limpet track --weights` takes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from golden import golden_weights
from studies.conftest import make_video
from training.test_model_soup import saved

from limpet.models import build_model
from limpet.registry import find
from limpet.weights.weights_file import Weights, read_weights, sha256, write_weights

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
    assert weights.facts.pop("command").startswith("limpet")
    assert weights.facts == {
        "origin": "DeAOTT.pth", "origin_sha256": sha256(official), "origin_part": "state_dict"
    }  # fmt: skip
    limpet(
        "track", clip, "--mask", mask, "--model", "deaot-t", "--weights", "own.safetensors", "--out", "out"
    ).succeeded()
    assert len(masks_of(tmp_path / "out")) == FRAMES


def test_the_model_is_found_out_and_the_file_says_where_it_is_from(
    limpet: Limpet, official: Path, tmp_path: Path
) -> None:
    outcome = limpet("weights", "convert", official, "--out", "own.safetensors")
    outcome.succeeded()
    assert outcome.out.startswith("DeAOTT.pth is of deaot-t\nown.safetensors (sha256 ")
    outcome = limpet("weights", "show", "own.safetensors")
    outcome.succeeded()
    rows = dict(line.split("  ", 1) for line in outcome.out.splitlines())
    found = {heading: text.strip() for heading, text in rows.items()}
    assert found["what"] == "weights of limpet for deaot-t"
    assert found["origin"] == "DeAOTT.pth" and found["origin sha256"] == sha256(official)
    assert found["sha256"] == sha256(tmp_path / "own.safetensors")


def test_another_model(limpet: Limpet, official: Path, tmp_path: Path) -> None:
    outcome = limpet("weights", "convert", official, "--model", "deaot-s", "--out", "own.safetensors")
    assert outcome.code == 2
    [error] = outcome.err.splitlines()
    assert error.startswith("error: ") and error.endswith(
        "DeAOTT.pth is a checkpoint of deaot-t, not of deaot-s; pass --model deaot-t"
    )
    assert not (tmp_path / "own.safetensors").exists()


def test_averaged_weights_are_told(limpet: Limpet, official: Path, tmp_path: Path) -> None:
    tensors = torch.load(official, weights_only=True)["state_dict"]
    (tmp_path / "ckpt").mkdir()
    (tmp_path / "ema_ckpt").mkdir()
    (tmp_path / "ema_ckpt/save_step_9.pth").touch()
    torch.save({"state_dict": tensors, "ema": tensors}, tmp_path / "ckpt/save_step_9.pth")
    outcome = limpet("weights", "convert", "ckpt/save_step_9.pth")
    outcome.succeeded()
    assert "note: save_step_9.pth: the averaged weights were taken, its part 'ema'\n" in outcome.err
    assert "the averaged weights of this step are in " in outcome.err and "ema_ckpt" in outcome.err
    assert (tmp_path / "ckpt/deaot-t.safetensors").is_file()


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
        "notes.pth is not a checkpoint that can be read safely: it is damaged, or not a file of torch.save"
    )
    limpet("weights", "convert", "gone.pth", "--model", "deaot-t").refused(
        "there is no checkpoint at gone.pth"
    )
    limpet("weights", "show", "notes.pth").refused("notes.pth is not a whole safetensors file")
    limpet("weights", "show", "gone").refused("there is no weights file at gone")
    limpet("weights", "convert", ".", "--model", "a/b").refused("there is no model called 'a/b'")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.pth"]


def test_existing_files_are_kept(limpet: Limpet, tmp_path: Path) -> None:
    torch.save({"id_norm.weight": torch.ones(2)}, tmp_path / "official.pth")
    (tmp_path / "deaot-t.safetensors").write_text("mine")
    limpet("weights", "convert", "official.pth", "--model", "deaot-t").refused(
        "deaot-t.safetensors exists already; choose another output, or pass --overwrite"
    )
    outcome = limpet("weights", "convert", "official.pth", "--model", "deaot-t", "--overwrite")
    assert outcome.code == 2 and "official.pth does not fit deaot-t" in outcome.err
    assert (tmp_path / "deaot-t.safetensors").read_text() == "mine", (
        "a conversion that fails replaces nothing"
    )


def test_a_soup_tells_what_stays(limpet: Limpet, tmp_path: Path) -> None:
    make_video(tmp_path / "davis/JPEGImages/480p/one", tmp_path / "davis/Annotations/480p/one")
    (tmp_path / "davis/ImageSets/2017").mkdir(parents=True)
    (tmp_path / "davis/ImageSets/2017/train.txt").write_text("one\n")
    for seed in range(2):
        torch.manual_seed(seed)
        state = build_model(find("deaot-nano").config()).state_dict()
        write_weights(tmp_path / f"{seed}.safetensors", Weights("deaot-nano", state))
    files = ("0.safetensors", "1.safetensors")
    limpet("weights", "soup", *files, "--out", "soup.safetensors").refused(
        "there is nothing to choose by; give --video"
    )
    quick = ("--stride", 2, "--max-frames", 3, "--max-size", 64, "--device", "cpu")
    outcome = limpet(
        "weights",
        "soup",
        *files,
        "--out",
        "soup.safetensors",
        "--video",
        tmp_path / "davis:2017/train",
        *quick,
    )
    outcome.succeeded()
    lines = outcome.out.splitlines()
    assert (
        lines[0].startswith("kept  ") and lines[1][:4] in ("kept", "left") and "the soup with it" in lines[1]
    )
    assert lines[2].startswith("J&F of the soup on 1 sequences: ")
    report = json.loads((tmp_path / "soup.safetensors.json").read_text())
    assert {each["place"] for each in report["ingredients"]} == set(files) and report["stride"] == 2
    assert read_weights(tmp_path / "soup.safetensors").model == "deaot-nano"


def test_a_uniform_soup_needs_no_scores(limpet: Limpet, tmp_path: Path) -> None:
    for value in (1.0, 3.0):
        saved(tmp_path / f"{value:g}.safetensors", value)
    command = ("weights", "soup", "1.safetensors", "3.safetensors", "--uniform", "--out", "soup.safetensors")
    limpet(*command).succeeded()
    assert read_weights(tmp_path / "soup.safetensors").tensors["a.weight"][0, 0] == 2.0
    assert json.loads((tmp_path / "soup.safetensors.json").read_text())["uniform"] is True
    limpet(*command).refused("soup.safetensors exists already")
    limpet("weights", "soup", "1.safetensors", "--out", "other.safetensors").refused("nothing to choose from")
