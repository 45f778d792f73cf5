"""Checkpoints from which a run continues exactly: tensors as safetensors, settings as JSON.

A checkpoint is one file, written completely or not at all; the JSON is in its header. No state of a random generator
is saved, since every step draws from generators that are seeded by the run's seed and the step.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from limpet.core.config_fields import resume_config
from limpet.core.errors import DataError, Option
from limpet.core.files import atomic_path
from limpet.core.json_text import parse_json
from limpet.core.provenance import command_line
from limpet.tensor_files import read_tensors, tensor_file
from limpet.training.config import TrainConfig
from limpet.training.schedule import trained_together
from limpet.weights.weights_file import Weights, write_weights

CHECKPOINT = "checkpoint.safetensors"  # its name in a run's folder
KEPT = "kept"  # the folder there of averaged weights on the way


Config = TypeVar("Config")


@dataclass(frozen=True)
class Checkpoint(Generic[Config]):
    """step: the next step to take; model, average, optimizer, helpers: tensors by name."""

    step: int
    config: Config
    model: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    helpers: dict[str, Tensor]


def save_checkpoint(
    path: Path,
    step: int,
    config: TrainConfig,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    helpers: nn.Module | None = None,
) -> None:
    """Write the state after ``step`` steps; the file of an earlier step is replaced only when this one is whole.

    ``helpers``: what is trained beside the model, see ``limpet.training.rollout.Objective``.
    """
    header = {"format": "limpet-checkpoint-1", "step": str(step), "config": json.dumps(config.as_json())}
    write_run(path, header, model, average, optimizer, helpers)


def write_run(
    path: Path,
    header: Mapping[str, str],
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    helpers: nn.Module | None = None,
) -> None:
    """Write the tensors of a run, whole or not at all, with ``header`` as the file's facts."""
    helpers = helpers or nn.Identity()
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
    tensors |= {f"helpers.{k}": v for k, v in helpers.state_dict().items()}
    tensors |= {f"optimizer.{k}": v for k, v in _optimizer_tensors(model, helpers, optimizer).items()}
    whole = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    with atomic_path(path, sole_writer=True) as temporary:
        temporary.write_bytes(tensor_file(whole, header))


def keep_weights(average: nn.Module, config: TrainConfig, folder: Path, step: int) -> Path:
    """Write the averaged weights after ``step`` steps into the run's folder ``kept``, in fp16; returns the file."""
    path = folder / KEPT / f"step-{step:07d}.safetensors"
    path.parent.mkdir(exist_ok=True)
    write_average(path, average, config, f"{step} of {config.steps}")
    return path


def write_average(path: Path, average: nn.Module, config: TrainConfig, steps: str, **more: str) -> str:
    """Write averaged weights in fp16, with how they were made; returns their sha256.

    Args:
        steps: how many were taken, in words. more: other facts for the file's header.
    """
    facts = {"command": command_line(), "steps": steps, **config.facts, **more}
    return write_weights(path, Weights(config.model, average.state_dict(), facts))


def resumed_config(config: TrainConfig, folder: Path, given: Collection[str] | None) -> TrainConfig:
    """The settings to resume the run in ``folder`` with: its own, and of ``config`` what was given and may change.

    Args:
        given: names of the settings that were given on purpose; None: all of them.

    Raises:
        DataError: there is no checkpoint, or a setting that was given differs from one that is fixed.
    """
    return resume_config(load_checkpoint(folder / CHECKPOINT).config, config, given, f"the run in {folder}")


def load_checkpoint(path: Path) -> Checkpoint[TrainConfig]:
    """Read a checkpoint. Raises DataError when it is missing, damaged or something else."""
    if not path.is_file():
        raise DataError(
            f"there is no checkpoint at {path}; start without ",
            Option("resume"),
            ", or name the run's folder",
        )
    try:
        header, tensors = read_tensors(path)
    except (SafetensorError, OSError) as error:
        raise DataError(
            f"{path} is damaged and cannot be resumed from ({error}); use an older checkpoint"
        ) from error
    if header.get("format") != "limpet-checkpoint-1":
        raise DataError(
            f"{path} is not a training checkpoint of this version; its header says {header or 'nothing'}"
        )
    try:
        config = TrainConfig.from_json(parse_json(header["config"]))
        return Checkpoint(int(header["step"]), config, **parts_of(tensors))
    except (KeyError, ValueError) as error:
        raise DataError(
            f"the header of {path} cannot be read ({error!r}); use an older checkpoint"
        ) from error


def parts_of(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """What ``write_run`` wrote, as the arguments of a ``Checkpoint``: part -> name -> tensor."""
    return {
        part: {k.removeprefix(f"{part}."): v for k, v in tensors.items() if k.startswith(f"{part}.")}
        for part in ("model", "average", "optimizer", "helpers")
    }


@torch.no_grad()
def restore(
    checkpoint: Checkpoint[Any],
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    helpers: nn.Module | None = None,
) -> None:
    """Load a checkpoint into newly made objects of the same configuration."""
    helpers = helpers or nn.Identity()
    model.load_state_dict(checkpoint.model)
    average.load_state_dict(checkpoint.average)
    helpers.load_state_dict(checkpoint.helpers)
    names = {parameter: name for name, parameter in trained_together(model, helpers).items()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = names[parameter]
            if f"{name}.exp_avg" not in checkpoint.optimizer:
                continue  # a parameter that had no gradient yet
            optimizer.state[parameter] = {
                "step": checkpoint.optimizer[f"{name}.step"],
                **{
                    # on the parameter's device and in its memory format
                    key: torch.empty_like(parameter).copy_(checkpoint.optimizer[f"{name}.{key}"])
                    for key in ("exp_avg", "exp_avg_sq")
                },
            }


def _optimizer_tensors(
    model: nn.Module, helpers: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value
        for name, parameter in trained_together(model, helpers).items()
        for key, value in optimizer.state.get(parameter, {}).items()
    }
