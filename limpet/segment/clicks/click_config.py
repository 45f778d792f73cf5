"""The settings of a training of the click model; ``limpet train-clicks`` makes its options from them."""

from __future__ import annotations

from dataclasses import dataclass

from limpet.core.config_fields import check_options, option
from limpet.core.errors import DataError

MODEL = "click"
"""The name of the click model in weights files."""
NAME = "limpet's click model"
NOTE = (
    "A small model makes the mask of the clicks: it finds most things within a few clicks, and knows nothing of what "
    "they are. The brush and the livewire finish what clicks begin."
)
STRIDE = 32
"""Heights and widths of what the network sees are multiples of it."""
_DECAY = 0.9


@dataclass(frozen=True)
class ClickTrainConfig:
    """How the click model is trained. The defaults made the first stage of the weights that ship."""

    steps: int = option(4000, help="Optimizer steps.", group="Schedule", min=1, primary=True, may_change=True)
    batch: int = option(8, help="Crops a step.", group="Data", min=1, primary=True)
    size: int = option(
        224,
        help=f"Side of the crops, in pixels; a multiple of {STRIDE}.",
        group="Data",
        min=STRIDE,
        primary=True,
    )
    learning_rate: float = option(
        6e-4, help="Peak learning rate.", group="Schedule", above=0, primary=True, may_change=True
    )
    encoder_lr_ratio: float = option(
        0.3, help="Learning rate of the encoder, as a share of that.", group="Schedule", min=0, max=1
    )
    warmup_steps: int = option(
        100, help="Steps over which the learning rate rises to its peak.", group="Schedule", min=0
    )
    video_prob: float = option(
        0.15, help="Chance that a crop comes from a video.", group="Data", min=0, max=1
    )
    given_mask_prob: float = option(
        0.25,
        help="Chance that there is a mask with errors already, and the click corrects it.",
        group="Data",
        min=0,
        max=1,
    )
    further_clicks: int = option(
        3,
        help="Most further clicks on the network's own masks in a step; fewer are more likely.",
        group="Data",
        min=0,
    )
    parts_weight: float = option(
        0.35,
        help="How often photos of parts and of regions are drawn, beside photos of objects: it is less clear what a "
        "click on them means.",
        group="Data",
        min=0,
    )
    held_out: int = option(
        200, help="Photos that are kept out of training, to measure with.", group="Data", min=0
    )
    seed: int = option(0, help="Of the data and of the first weights.", group="Running", min=0)
    save_every: int = option(200, help="Steps between checkpoints.", group="Running", min=1, may_change=True)

    def __post_init__(self) -> None:
        check_options(self)
        if self.size % STRIDE:
            raise DataError(f"size is {self.size}, expected a multiple of {STRIDE}")

    def learning_rate_at(self, step: int) -> float:
        """Linear warm-up, then polynomial decay of power 0.9 to nothing."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        left = 1 - (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.learning_rate * float(max(left, 0.0) ** _DECAY)
