"""Training of the click model: the loss, resuming, and what is left behind."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from limpet.core.errors import DataError, WeightsError
from limpet.data import StillsFolder
from limpet.models.mobilenet import MobileNetV2
from limpet.segment.clicks.click_config import ClickTrainConfig
from limpet.segment.clicks.train_clicks import (
    CHECKPOINT,
    WEIGHTS,
    ClickRun,
    _chances,
    normalised_focal_loss,
    train_clicks,
)
from limpet.weights.weights_file import Weights, read_weights, sha256, write_weights

TINY = ClickTrainConfig(steps=3, batch=2, size=64, save_every=2, warmup_steps=1)


def test_the_loss_is_that_of_a_slow_loop() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(2, 1, 4, 5), (torch.rand(2, 1, 4, 5) > 0.5).float()
    expected = 0.0
    for image in range(2):
        pairs = zip(logits[image].flatten().tolist(), target[image].flatten().tolist(), strict=True)
        likelihoods = [1 / (1 + math.exp(-x if y else x)) for x, y in pairs]
        weights = [(1 - p) ** 2 for p in likelihoods]
        total = sum(weights)
        expected += sum(-w / total * math.log(p) for w, p in zip(weights, likelihoods, strict=True)) / 2
    assert float(normalised_focal_loss(logits, target)) == pytest.approx(expected, rel=1e-5)


def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stills = list(StillsFolder(photos))
    whole = train_clicks(tmp_path / "whole", TINY, stills, [], quiet=True)
    part, step = tmp_path / "part", ClickRun.step

    def stopped(run: ClickRun, number: int, *rest: Any) -> tuple[float, float]:
        if number == 2:
            raise KeyboardInterrupt
        return step(run, number, *rest)

    monkeypatch.setattr(ClickRun, "step", stopped)
    with pytest.raises(KeyboardInterrupt):
        train_clicks(part, TINY, stills, [], quiet=True)
    monkeypatch.undo()
    assert (part / CHECKPOINT).exists() and not (part / WEIGHTS).exists()
    assert train_clicks(part, TINY, stills, [], resume=True, quiet=True) == whole
    assert sha256(tmp_path / "whole" / WEIGHTS) == whole
    logged = [json.loads(line) for line in (part / "log.jsonl").read_text().splitlines()]
    assert [each["step"] for each in logged] == [0, 1, 2]
    assert all(math.isfinite(each["loss"]) and 0 <= each["IoU"] <= 1 for each in logged)
    assert read_weights(part / WEIGHTS).model == "click"
    with pytest.raises(DataError, match="batch was 2, is now 3"):
        config = ClickTrainConfig(steps=3, batch=3, size=64)
        train_clicks(part, config, stills, [], resume=True, given={"batch"}, quiet=True)


def test_it_begins_with_an_encoder_and_nothing_else(tmp_path: Path, photos: Path) -> None:
    torch.manual_seed(1)
    encoder = MobileNetV2().state_dict()
    write_weights(tmp_path / "encoder.safetensors", Weights("encoder", encoder))
    run = ClickRun(tmp_path / "run", TINY, tmp_path / "encoder.safetensors")
    assert torch.equal(
        run.network.state_dict()["features.5.conv.2.weight"],
        encoder["features.5.conv.2.weight"].half().float(),
    )
    write_weights(tmp_path / "other.safetensors", Weights("encoder", {"features.0.0.weight": torch.ones(1)}))
    with pytest.raises(WeightsError, match="does not fit"):
        ClickRun(tmp_path / "run", TINY, tmp_path / "other.safetensors")


def test_it_begins_with_the_weights_of_an_earlier_run(tmp_path: Path, photos: Path) -> None:
    stills = list(StillsFolder(photos))
    train_clicks(tmp_path / "first", TINY, stills, [], quiet=True)
    first = tmp_path / "first" / WEIGHTS
    run = ClickRun(tmp_path / "second", TINY, start=first)
    begun, given = run.network.state_dict(), read_weights(first).tensors
    assert all(torch.equal(begun[name], tensor.float()) for name, tensor in given.items())
    with pytest.raises(DataError, match="not both"):
        ClickRun(tmp_path / "third", TINY, encoder=first, start=first)
    write_weights(tmp_path / "other.safetensors", Weights("encoder", MobileNetV2().state_dict()))
    with pytest.raises(WeightsError, match="not of the click model"):
        ClickRun(tmp_path / "third", TINY, start=tmp_path / "other.safetensors")


def test_chances_of_further_clicks(tmp_path: Path) -> None:
    assert _chances(3).tolist() == [0.4, 0.3, 0.2, 0.1]
    assert _chances(0).tolist() == [1.0]


def test_what_is_no_checkpoint_is_said(tmp_path: Path, photos: Path) -> None:
    stills = list(StillsFolder(photos))
    with pytest.raises(DataError, match="no whole checkpoint"):
        train_clicks(tmp_path, TINY, stills, [], resume=True, quiet=True)
    (tmp_path / CHECKPOINT).write_bytes(b"this is none")
    with pytest.raises(DataError, match="no whole checkpoint"):
        train_clicks(tmp_path, TINY, stills, [], resume=True, quiet=True)


def test_a_size_that_the_network_cannot_have_is_refused() -> None:
    with pytest.raises(DataError, match="multiple of 32"):
        ClickTrainConfig(size=65)
