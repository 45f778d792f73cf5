"""What a training run is, as one dataclass that is saved beside its checkpoints."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from limpet.core.errors import DataError
from limpet.data import ClipConfig


@dataclass(frozen=True)
class TrainConfig:
    """One stage of training.

    model: name of a preset.
    steps: optimizer steps of the stage.
    clips: how clips are made; its ``batch`` is per process.
    learning_rate, min_learning_rate: the peak, and where the polynomial decay ends.
    warm_up: share of the steps over which the rate rises from the smallest to the peak.
    encoder_lr_ratio: the encoder's share of the part of the rate above the smallest.
    weight_decay: of matrices; biases, norms and the output layers have none.
    frozen_stages: encoder stages without gradient; 2 is the stem and the first stage.
    teacher_forcing_until: progress (0..1) from which memories are made of the network's own predictions.
    train_id_bank_throughout: the identity bank goes on learning then; the official recipe freezes it.
    mask_corruption_prob: share of the remembered masks that get a mistake; see limpet.training.memory_augmentation.
    reference_augment_prob: share of the steps whose long-term memory shows the reference frame mirrored, turned and
        moved; see limpet.training.memory_augmentation.
    id_shuffle_start, id_shuffle_full: progress up to which objects sit in the identity slots of their ids, and from
        which they are shuffled among all slots; see limpet.training.schedule.
    long_term_gap: frames of a clip between long-term memories, so that a model is trained with the memory that it is
        used with; None is 2 for models that keep tracked frames by their preset, and the reference alone for others.
    aux_loss_until: progress at which the auxiliary loss on the reference frame has faded out.
    max_grad_norm: largest norm of the gradient.
    averaging: length of the moving average (EMA) of the weights, as a share of the steps.
    precision: "32-true" or "bf16-mixed", as Lightning Fabric names them.
    gradient_checkpointing: less memory, more time.
    log_every, save_every, score_every: in steps; 0 is never.
    """

    model: str = "deaot-t"
    steps: int = 20_000
    clips: ClipConfig = field(default_factory=ClipConfig)
    learning_rate: float = 2e-4
    min_learning_rate: float = 2e-5
    warm_up: float = 0.05
    encoder_lr_ratio: float = 0.1
    weight_decay: float = 0.07
    frozen_stages: int = 2
    teacher_forcing_until: float = 0.5
    train_id_bank_throughout: bool = False
    mask_corruption_prob: float = 0.0
    reference_augment_prob: float = 0.0
    id_shuffle_start: float = 0.0
    id_shuffle_full: float = 0.0
    long_term_gap: int | None = None
    aux_loss_until: float = 1.0
    max_grad_norm: float = 5.0
    averaging: float = 0.1
    precision: str = "bf16-mixed"
    gradient_checkpointing: bool = False
    log_every: int = 20
    save_every: int = 500
    score_every: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise DataError(f"steps is {self.steps}; train for at least one step")
        if not 0 < self.min_learning_rate <= self.learning_rate:
            raise DataError(
                f"learning rates: smallest {self.min_learning_rate}, peak {self.learning_rate}; "
                f"expected 0 < smallest <= peak"
            )
        if self.long_term_gap is not None and self.long_term_gap < 1:
            raise DataError(f"long_term_gap is {self.long_term_gap}, expected at least 1 frame")
        shares = (
            "warm_up",
            "encoder_lr_ratio",
            "teacher_forcing_until",
            "mask_corruption_prob",
            "aux_loss_until",
        )
        for name in (*shares, "reference_augment_prob", "averaging"):
            if not 0 <= getattr(self, name) <= 1:
                raise DataError(f"{name} is {getattr(self, name)}, expected a share from 0 to 1")

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, strings and lists."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TrainConfig:
        """The inverse of ``as_json``."""
        clips: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values["clips"].items()
        }
        return cls(**{**values, "clips": ClipConfig(**clips)})
