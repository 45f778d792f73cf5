"""What a training run is, as one dataclass that is saved beside its checkpoints."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from limpet.data import ClipConfig
from limpet.errors import DataError


@dataclass(frozen=True)
class TrainConfig:
    """One stage of training.

    model: name of a preset.
    steps: optimizer steps of the stage.
    clips: how clips are made; its ``batch`` is per process.
    learning_rate, smallest_rate: the peak, and where the polynomial decay ends.
    warm_up: share of the steps over which the rate rises from the smallest to the peak.
    encoder_rate: the encoder's share of the part of the rate above the smallest.
    weight_decay: of matrices; biases, norms and the output layers have none.
    frozen_stages: encoder stages without gradient; 2 is the stem and the first stage.
    own_predictions_from: progress (0..1) from which memories are made of the network's own predictions.
    identity_learns: the identity bank goes on learning then; the official recipe freezes it.
    mistake_share: share of the remembered masks that get a mistake; see limpet.training.mistakes.
    elsewhere_share: share of the steps whose long-term memory shows the reference frame mirrored, turned and moved;
        see limpet.training.elsewhere.
    slots_fixed_until, slots_all_from: progress up to which objects sit in the identity slots of their ids, and from
        which they are shuffled among all slots; see limpet.training.slots.
    long_term_gap: frames of a clip between long-term memories, so that a model is trained with the memory that it is
        used with; None is 2 for models that keep tracked frames by their preset, and the reference alone for others.
    reference_until: progress at which the auxiliary loss on the reference frame has faded out.
    clip_norm: largest norm of the gradient.
    averaging: length of the moving average (EMA) of the weights, as a share of the steps.
    precision: "32-true" or "bf16-mixed", as Lightning Fabric names them.
    checkpointing: less memory, more time.
    log_every, save_every, score_every: in steps; 0 is never.
    """

    model: str = "deaot-t"
    steps: int = 20_000
    clips: ClipConfig = field(default_factory=ClipConfig)
    learning_rate: float = 2e-4
    smallest_rate: float = 2e-5
    warm_up: float = 0.05
    encoder_rate: float = 0.1
    weight_decay: float = 0.07
    frozen_stages: int = 2
    own_predictions_from: float = 0.5
    identity_learns: bool = False
    mistake_share: float = 0.0
    elsewhere_share: float = 0.0
    slots_fixed_until: float = 0.0
    slots_all_from: float = 0.0
    long_term_gap: int | None = None
    reference_until: float = 1.0
    clip_norm: float = 5.0
    averaging: float = 0.1
    precision: str = "bf16-mixed"
    checkpointing: bool = False
    log_every: int = 20
    save_every: int = 500
    score_every: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise DataError(f"steps is {self.steps}; train for at least one step")
        if not 0 < self.smallest_rate <= self.learning_rate:
            raise DataError(
                f"learning rates: smallest {self.smallest_rate}, peak {self.learning_rate}; "
                f"expected 0 < smallest <= peak"
            )
        if self.long_term_gap is not None and self.long_term_gap < 1:
            raise DataError(f"long_term_gap is {self.long_term_gap}, expected at least 1 frame")
        shares = ("warm_up", "encoder_rate", "own_predictions_from", "mistake_share", "reference_until")
        for name in (*shares, "elsewhere_share", "averaging"):
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
