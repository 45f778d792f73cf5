"""`limpet calibrate`: two numbers in the header of a weights file, and nothing else in it changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from limpet.weights.weights_file import read_weights

from .command import Limpet


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> str:
    """ROOT:SPLIT of a video of two frames."""
    root = tmp_path_factory.mktemp("davis")
    for t in range(2):
        mask = np.zeros((48, 64), np.uint8)
        mask[8:30, 10 + t : 40] = 1
        pixels = np.random.default_rng(t).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        for path, picture in (
            (root / f"JPEGImages/480p/box/{t}.jpg", pixels),
            (root / f"Annotations/480p/box/{t}.png", mask),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
    return f"{root}:all"


def test_it_is_written_into_the_weights_and_told_in_the_report(
    limpet: Limpet,
    video: str,
    weights: Path,
    clip: Path,
    mask: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "limpet.training.confidence_calibration.fit_platt_scaling", lambda *_: (1.25, -0.5)
    )  # untrained: nothing to learn
    command = ("calibrate", "--video", video, "--device", "cpu")
    outcome = limpet(*command, "--weights", weights, "--out", "new.safetensors")
    outcome.succeeded()
    assert "slope 1.25, offset -0.5 -> new.safetensors (sha256 " in outcome.out
    before, after = read_weights(weights), read_weights(Path("new.safetensors"))
    assert json.loads(after.facts["confidence"]) == {"slope": 1.25, "offset": -0.5}
    assert after.facts["confidence_command"].startswith("limpet")
    assert all(torch.equal(after.tensors[name], tensor) for name, tensor in before.tensors.items())
    limpet(*command, "--weights", weights, "--out", "new.safetensors").refused(
        "exists already", "--overwrite"
    )

    limpet(
        "track", clip, "--mask", mask, "--weights", "new.safetensors", "--out", "out", "--no-overlay"
    ).succeeded()
    assert json.loads((tmp_path / "out/report.json").read_text())["calibrated"] is True


def test_too_little_to_learn_from_changes_nothing(
    limpet: Limpet, video: str, weights: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "w.safetensors"
    shutil.copy(weights, copy)
    limpet("calibrate", "--video", video, "--weights", copy).refused("not enough for a calibration")
    assert copy.read_bytes() == weights.read_bytes()


def test_what_is_missing_is_told(limpet: Limpet, weights: Path) -> None:
    limpet("calibrate").refused("nothing to calibrate on", "--video ROOT:SPLIT")
    limpet("calibrate", "--stills", "x").refused("the weights in the package are not changed", "--out FILE")
    limpet("calibrate", "--stills", "x", "--weights", weights).refused("x/images")
