"""Checkpoints: whole or refused, and complete."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from limpet.core.errors import DataError, OutputError
from limpet.training.checkpoint import load_checkpoint, restore, save_checkpoint
from limpet.training.schedule import build_optimizer

from .tiny import tiny_run

CONFIG = tiny_run()


def trained(seed: int = 0, steps: int = 3) -> tuple[nn.Module, nn.Module, torch.optim.Optimizer]:
    """A network, an average and an optimizer after a few steps; one layer never has a gradient."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(4 * 9, 3), nn.Linear(3, 3))
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model[0].bias.requires_grad_(False)
    optimizer = build_optimizer(model, CONFIG)
    for _ in range(steps):
        optimizer.zero_grad()
        model[:3](torch.randn(2, 2, 5, 5)).square().sum().backward()
        optimizer.step()
    average = copy.deepcopy(model)
    with torch.no_grad():
        average[2].weight.mul_(0.5)
    return model, average, optimizer


def same(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_a_checkpoint_restores_everything(tmp_path: Path) -> None:
    model, average, optimizer = trained()
    save_checkpoint(tmp_path / "c", 3, CONFIG, model, average, optimizer)
    found = load_checkpoint(tmp_path / "c")
    assert (found.step, found.config) == (3, CONFIG)
    other_model, other_average, other_optimizer = trained(seed=1, steps=0)
    restore(found, other_model, other_average, other_optimizer)
    assert same(model, other_model) and same(average, other_average)
    for mine, theirs in zip(model.parameters(), other_model.parameters(), strict=True):
        kept = optimizer.state.get(mine, {})
        assert kept.keys() == other_optimizer.state.get(theirs, {}).keys()
        for key, value in kept.items():
            assert torch.equal(other_optimizer.state[theirs][key], value), key
    assert len(other_optimizer.state) == 3, "conv weight, linear weight and bias had gradients"


def test_moments_lie_in_memory_like_their_parameter(tmp_path: Path) -> None:
    """Else each step of a resumed run would take the optimizer's slow path."""
    model, average, optimizer = trained()
    save_checkpoint(tmp_path / "c", 3, CONFIG, model, average, optimizer)
    other_model, other_average, other_optimizer = trained(seed=1, steps=0)
    restore(load_checkpoint(tmp_path / "c"), other_model, other_average, other_optimizer)
    weight = other_model[0].weight
    assert not weight.is_contiguous(), "channels last"
    assert other_optimizer.state[weight]["exp_avg"].stride() == weight.stride()
    assert not other_optimizer.state[weight]["exp_avg"].requires_grad


def test_a_restored_run_takes_the_same_next_step(tmp_path: Path) -> None:
    model, average, optimizer = trained()
    save_checkpoint(tmp_path / "c", 3, CONFIG, model, average, optimizer)
    other_model, other_average, other_optimizer = trained(seed=1)  # it has moments of its own
    restore(load_checkpoint(tmp_path / "c"), other_model, other_average, other_optimizer)
    batch = torch.randn(2, 2, 5, 5)
    for network, stepper in ((model, optimizer), (other_model, other_optimizer)):
        stepper.zero_grad()
        network[:3](batch).square().sum().backward()
        stepper.step()
    assert same(model, other_model)


def test_missing_damaged_and_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    missing = r"there is no checkpoint at .*checkpoint\.safetensors; start without resume=True, or name"
    with pytest.raises(DataError, match=missing):
        load_checkpoint(path)
    save_checkpoint(path, 3, CONFIG, *trained())
    whole = path.read_bytes()
    for cut in (0, 5, 200, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(
            DataError, match=r"is damaged and cannot be resumed from .*; use an older checkpoint"
        ):
            load_checkpoint(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(
        DataError, match="is not a training checkpoint of this version; its header says nothing"
    ):
        load_checkpoint(path)


def test_a_failed_write_keeps_the_earlier_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c"
    save_checkpoint(path, 3, CONFIG, *trained())

    def full(target: Path, data: bytes) -> None:
        with target.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "no space left")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"cannot write .*: no space left on the disk"):
        save_checkpoint(path, 4, CONFIG, *trained())
    assert load_checkpoint(path).step == 3
    assert list(tmp_path.iterdir()) == [path]
