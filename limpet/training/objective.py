"""What a training run minimises: the model and its loss as one module, which is what distributed training wraps."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import save
from torch import Tensor, nn

from limpet.data import ClipBatch
from limpet.files import atomic_path
from limpet.models import Model
from limpet.training.rollout import RolloutConfig, RolloutResult, rollout


class Objective(Protocol):
    """A module that holds the model and scores clips; see ClipLoss for the arguments.

    helpers: what is trained beside the model, such as projections of its features, and thrown away in the end: it is in
    checkpoints, not in weights. ``nn.Identity()`` where there is nothing.
    """

    @property
    def helpers(self) -> nn.Module: ...

    def __call__(
        self, images: Tensor, masks: Tensor, object_counts: list[int], slots: Tensor, config: RolloutConfig
    ) -> RolloutResult: ...


class ClipLoss(nn.Module):
    """Compares the model's masks with those of the clips."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.helpers = nn.Identity()

    def forward(
        self, images: Tensor, masks: Tensor, object_counts: list[int], slots: Tensor, config: RolloutConfig
    ) -> RolloutResult:
        """See ``rollout``."""
        return rollout(self.model, images, masks, object_counts, config, slots)


def save_batch(folder: Path, step: int, batch: ClipBatch) -> Path:
    """Write the clips of a step that went wrong to ``folder``, to be looked at; returns the file.

    Raises:
        OutputError: the file cannot be written.
    """
    path = folder / f"clips-of-step-{step}.safetensors"
    tensors = {"images": batch.images.to(torch.float16), "masks": batch.masks.to(torch.uint8)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save({name: value.cpu().contiguous() for name, value in tensors.items()}))
    return path
