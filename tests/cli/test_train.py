"""`limpet train` on three photos: what it leaves tracks, and goes on where it was stopped."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from networks import small_config
from training.tiny import make_stills

from limpet import registry
from limpet.registry import find
from limpet.training.checkpoint import load_checkpoint
from limpet.training.loop import Run
from limpet.weights.weights_file import read_weights

from .clips import masks_of
from .command import Limpet
from .conftest import FRAMES

SMALL = ("--batch", 1, "--frames", 2, "--size", 65, "--precision", "32-true", "--device", "cpu")


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is trained is narrow."""
    monkeypatch.setitem(registry._ENTRIES, "deaot-t", replace(find("deaot-t"), factory=small_config))


@pytest.fixture(scope="module")
def stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stills(tmp_path_factory.mktemp("stills")).root


def test_trained_weights_track(limpet: Limpet, stills: Path, clip: Path, mask: Path, tmp_path: Path) -> None:
    command = ("train", "--out", "run", "--stills", stills, *SMALL, "--steps", 3)
    outcome = limpet(*command)
    outcome.succeeded()
    assert "run/weights.safetensors (sha256 " in outcome.out
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "checkpoint.safetensors", "curves.png", "log.jsonl", "tensorboard", "weights.safetensors"
    }  # fmt: skip
    limpet(
        "track",
        clip,
        "--mask",
        mask,
        "--model",
        "deaot-t",
        "--weights",
        "run/weights.safetensors",
        "--out",
        "out",
    ).succeeded()
    assert len(masks_of(tmp_path / "out")) == FRAMES
    limpet("weights", "average", "run", "run/weights.safetensors", "--out", "mean.safetensors").succeeded()
    limpet("weights", "average", "run", "--out", "mean.safetensors").refused(
        "mean.safetensors exists already"
    )
    mean, own = (
        read_weights(tmp_path / name).tensors for name in ("mean.safetensors", "run/weights.safetensors")
    )
    assert all(torch.allclose(mean[name].float(), own[name].float(), atol=1e-3) for name in own)
    before = (tmp_path / "run/checkpoint.safetensors").read_bytes()
    limpet(*command).refused("run holds a run already; continue it with --resume, or choose another folder")
    assert (tmp_path / "run/checkpoint.safetensors").read_bytes() == before
    limpet(*command[:-1], 4, "--resume").succeeded()
    assert load_checkpoint(tmp_path / "run/checkpoint.safetensors").step == 4


def test_a_resumed_run_keeps_its_settings(limpet: Limpet, stills: Path, tmp_path: Path) -> None:
    command = ("train", "--out", "run", "--stills", stills, *SMALL)
    limpet(*command, "--steps", 1, "--crowd-prob", 0.1, 0.2, "--save-every", 7).succeeded()
    limpet(*command, "--steps", 2, "--resume", "--crowd-prob", 0.3, 0.3).refused(
        "the run in run was begun with other settings: crowd_prob was (0.1, 0.2), is now (0.3, 0.3)"
    )
    limpet(*command, "--steps", 2, "--resume", "--learning-rate", 1e-4).succeeded()
    config = load_checkpoint(tmp_path / "run/checkpoint.safetensors").config
    assert (config.steps, config.learning_rate) == (2, 1e-4), "what may change does"
    assert (config.clips.crowd_prob, config.save_every) == ((0.1, 0.2), 7), (
        "what is not given is that of the run"
    )


def test_photos_that_cannot_be_used_are_named(limpet: Limpet, stills: Path, tmp_path: Path) -> None:
    shutil.copytree(stills, tmp_path / "stills")
    (tmp_path / "stills/images/photo1.png").write_bytes(b"torn")
    (tmp_path / "stills/masks/photo2.png").unlink()
    outcome = limpet("train", "--out", "run", "--stills", "stills", *SMALL, "--steps", 1)
    outcome.succeeded()
    assert "note: skipped photo1.png: unreadable image" in outcome.err
    assert "note: skipped photo2.png: no mask photo2.png" in outcome.err


def test_a_run_that_is_stopped_can_go_on(
    limpet: Limpet, stills: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped once before and once after its first checkpoint."""
    command = ("train", "--out", "run", "--stills", stills, *SMALL, "--steps", 9)
    save = Run.save

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def save_and_stop(run: Run, step: int) -> None:
        save(run, step)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "step", interrupt)
        outcome = limpet(*command)
    assert outcome.code == 130
    assert outcome.err.endswith("note: stopped before the first checkpoint; there is nothing to resume\n")
    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", save_and_stop)
        outcome = limpet(*command, "--save-every", 2)
    assert outcome.code == 130
    assert outcome.err.endswith("note: stopped; continue from the last checkpoint in run with --resume\n")
    assert load_checkpoint(tmp_path / "run/checkpoint.safetensors").step == 2
    assert not [path for path in (tmp_path / "run").iterdir() if ".tmp" in path.name]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "there is nothing to train on; give --stills DIR, --video ROOT:SPLIT, or both"),
        (("--stills", "gone"), "gone/images is not a folder"),
        (("--stills", "empty"), "no usable photos with masks in empty"),
        (("--video", "gone:train"), "gone is not a folder; expected the folder of a data set"),
        (("--video", "gone"), "'gone' names no split; expected ROOT:SPLIT"),
        (
            ("--stills", "good", "--encoder", "gone.safetensors"),
            "there is no weights file at gone.safetensors",
        ),
        (("--stills", "good", "--from", "gone.safetensors"), "there is no weights file at gone.safetensors"),
        (
            ("--stills", "good", "--encoder", "a", "--from", "b"),
            "give --encoder FILE or --from FILE, not both",
        ),
        (
            ("--stills", "good", "--resume"),
            "there is no checkpoint in run to resume from; start without --resume",
        ),
        (("--stills", "good", "--model", "deaot"), "there is no model called 'deaot'"),
        (
            ("--stills", "good", "--precision", "fp8"),
            "precision is 'fp8', expected one of auto, bf16-mixed, 32-true",
        ),
        (("--stills", "good", "--device", "gpu"), "there is no device 'gpu'"),
        (("--stills", "good", "--size", "64"), "size is 64, expected 16k + 1 pixels"),
        (
            ("--stills", "good", "--score", "gone:dev"),
            "gone is not a folder; expected the folder of a data set",
        ),
        (("--stills", "unlabelled"), "have no object, only 0 (background): photo0.png"),
    ],
)
def test_bad_input(
    limpet: Limpet, stills: Path, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    (tmp_path / "good").symlink_to(stills)
    for name in ("images", "masks"):
        (tmp_path / "empty" / name).mkdir(parents=True)
    make_unlabelled(tmp_path / "unlabelled")
    limpet("train", "--out", "run", *SMALL, "--steps", 1, *options).refused(words)
    assert not (tmp_path / "run").exists()


def make_unlabelled(root: Path) -> None:
    from PIL import Image

    make_stills(root)
    for path in (root / "masks").iterdir():
        Image.new("L", (96, 80)).save(path)


def test_a_place_that_cannot_be_written(limpet: Limpet, stills: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    limpet("train", "--out", "file/run", "--stills", stills, *SMALL).refused(
        "cannot write file/run: a part of the path is a file, not a folder"
    )
