"""The settings of a training run. They are saved in its checkpoints; ``limpet train`` makes its options from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, get_args

from limpet.core.config_fields import check_options, option
from limpet.core.errors import DataError
from limpet.core.saved_config import from_json, to_json
from limpet.core.tracker_protocol import FlowName
from limpet.data.config import ClipConfig

MASK_LOSSES = {
    "ce_jaccard": "limpet.training.losses:ce_jaccard_loss",
    "ce": "limpet.training.losses:bootstrapped_cross_entropy",
    "ce_dice": "limpet.training.losses:ce_dice_loss",
    "poly_ce": "limpet.training.losses:poly_cross_entropy",
}
"""The losses on masks by name, each as module:function; docs/adding_a_loss.md adds one."""
PRECISIONS = ("auto", "bf16-mixed", "32-true")
MODEL, SCHEDULE, MEMORY, IDENTITY, RUN = (
    "Model and data",
    "Learning rate and schedule",
    "What memory holds during training",
    "Identity shuffling",
    "Running",
)


@dataclass(frozen=True)
class TrainConfig:
    """One stage of training. Shares and ratios are numbers from 0 to 1; progress is the share of the steps done.

    >>> config = TrainConfig(model="deaot-nano", steps=2000, clips=ClipConfig(size=257, frames=3))
    >>> TrainConfig.from_json(config.as_json()) == config
    True
    """

    model: str = option(
        "deaot-t", help="Name of the model; see: limpet models.", group=MODEL, metavar="NAME", primary=True
    )
    flow: str | None = option(
        None,
        help="Source of optical flow, for models that follow motion: dis, from the frames; match, from the network's "
        "features; none.  [default: dis]",
        group=MODEL,
        choices=get_args(FlowName),
        metavar="NAME",
    )
    steps: int = option(
        20_000, help="Optimizer steps.", group=SCHEDULE, min=1, metavar="N", primary=True, may_change=True
    )
    clips: ClipConfig = field(default_factory=ClipConfig)
    learning_rate: float = option(
        2e-4,
        help="Peak learning rate, reached after the warm-up.",
        group=SCHEDULE,
        above=0,
        primary=True,
        may_change=True,
    )
    min_learning_rate: float = option(
        2e-5,
        help="Final learning rate, where the polynomial decay ends.",
        group=SCHEDULE,
        above=0,
        may_change=True,
    )
    warmup_ratio: float = option(
        0.05,
        help="Share of the steps over which the learning rate rises to its peak.",
        group=SCHEDULE,
        min=0,
        max=1,
    )
    encoder_lr_ratio: float = option(
        0.1,
        help="Learning rate of the encoder, as a share of that of the rest (both above --min-learning-rate).",
        group=SCHEDULE,
        min=0,
        max=1,
    )
    weight_decay: float = option(
        0.07,
        help="AdamW's weight decay of matrices; biases, norms and output layers have none.",
        group=SCHEDULE,
        min=0,
    )
    max_grad_norm: float = option(5.0, help="Gradients are clipped to this norm.", group=SCHEDULE, above=0)
    ema_horizon: float = option(
        0.1,
        help="Length of the moving average (EMA) of the weights, as a share of the steps. The averaged weights are the "
        "result.",
        group=SCHEDULE,
        min=0,
        max=1,
    )
    frozen_stages: int = option(
        2, help="Encoder stages that are not trained: 2 are the stem and the first stage.", group=MODEL, min=0
    )
    teacher_forcing_until: float = option(
        0.5,
        help="Progress up to which memories are made from the true masks (teacher forcing), and after which from the "
        "network's own predictions (scheduled sampling); 0 uses its predictions from the start, 1 never.",
        group=MEMORY,
        min=0,
        max=1,
    )
    train_id_bank_throughout: bool = option(
        False,
        help="Train the identity bank after --teacher-forcing-until as well. Without this it is frozen from there on, "
        "as in the official recipe (freeze_id); with --teacher-forcing-until 0 it would never be trained.",
        group=MEMORY,
    )
    mask_corruption_prob: float = option(
        0.0,
        help="Probability that a remembered mask is corrupted: an object loses a piece or takes one. The model learns "
        "to recover from its own errors. With --long-term-gap they stay in long-term memory; the reference is right.",
        group=MEMORY,
        min=0,
        max=1,
    )
    reference_augment_prob: float = option(
        0.0,
        help="Probability that long-term memory shows the reference frame mirrored, rotated, scaled and moved, for the "
        "clips of a step.",
        group=MEMORY,
        min=0,
        max=1,
    )
    long_term_gap: int | None = option(
        None,
        help="Frames of a clip between two long-term memories (lt_gap).  [default: 2 for models that keep tracked "
        "frames, 1 for stcn, the reference frame alone for others]",
        group=MEMORY,
        min=1,
        metavar="N",
    )
    id_shuffle_start: float = option(
        0.0,
        help="Progress up to which each object has the identity slot of its id. From there on the number of slots "
        "among which objects are shuffled grows.",
        group=IDENTITY,
        min=0,
        max=1,
    )
    id_shuffle_full: float = option(
        0.0,
        help="Progress from which objects are shuffled among all identity slots.",
        group=IDENTITY,
        min=0,
        max=1,
    )
    top_k_start: float = option(
        0.0,
        help="Progress up to which all pixels count in the bootstrapped cross-entropy; the share of the hardest ones "
        "falls linearly from there on. STCN has 0.13.",
        group=SCHEDULE,
        min=0,
        max=1,
    )
    top_k_full: float = option(
        0.5,
        help="Progress from which only the hardest --top-k-fraction of the pixels count. STCN has 0.47.",
        group=SCHEDULE,
        min=0,
        max=1,
    )
    top_k_fraction: float = option(
        0.15,
        help="Share of the pixels, the hardest ones, that count in the cross-entropy from --top-k-full on.",
        group=SCHEDULE,
        above=0,
        max=1,
    )
    train_norms: bool = option(
        False,
        help="Train the scales and shifts of the encoders' batch norms, whose statistics stay frozen, as in STCN.",
        group=MODEL,
    )
    aux_loss_until: float = option(
        1.0,
        help="Progress at which the auxiliary loss on the reference frame has faded out.",
        group=SCHEDULE,
        min=0,
        max=1,
    )
    precision: str = option(
        "auto",
        help="Number format of the computation, as Lightning Fabric names it: bf16-mixed, 32-true or auto, which takes "
        "bf16-mixed on devices that multiply bf16 in hardware, and 32-true on others, where it is emulated and slow.",
        group=RUN,
        choices=PRECISIONS,
        metavar="NAME",
        may_change=True,
    )
    gradient_checkpointing: bool = option(
        False,
        help="Compute the activations of each frame again in the backward pass: less memory, more time.",
        group=RUN,
        may_change=True,
    )
    mask_loss: str = option(
        "ce_jaccard",
        help="Loss on the masks: ce_jaccard is half bootstrapped cross-entropy, half soft Jaccard; ce_dice has Dice in "
        "its place, as DeVOS; ce is bootstrapped cross-entropy alone, as in STCN; poly_ce is its poly-1 form, as in "
        "MobileVOS.",
        group=SCHEDULE,
        choices=MASK_LOSSES,
        metavar="NAME",
    )
    workers: int | None = option(
        None,
        help="Processes that make the training clips.  [default: one for each core but one, at most 8]",
        group=RUN,
        min=0,
        metavar="N",
        may_change=True,
    )
    log_every: int = option(
        20, help="Steps between two lines of the log; 0 writes none.", group=RUN, min=0, may_change=True
    )
    save_every: int = option(
        500, help="Steps between two checkpoints; 0 writes none.", group=RUN, min=0, may_change=True
    )
    keep_every: int = option(
        0,
        help="Steps between two files of averaged weights that are kept beside the last ones, for: limpet weights "
        "soup; 0 keeps none.",
        group=RUN,
        min=0,
        may_change=True,
    )
    score_every: int = option(
        2000,
        help="Steps between two scores on the set of --score; 0 scores never.",
        group=RUN,
        min=0,
        may_change=True,
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.min_learning_rate > self.learning_rate:
            raise DataError(
                f"min_learning_rate is {self.min_learning_rate}, above the peak learning_rate {self.learning_rate}; "
                f"lower the one or raise the other"
            )

    @property
    def facts(self) -> dict[str, str]:
        """What weights have to carry along to be used as they were trained."""
        return {} if self.flow is None else {"flow": self.flow}

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, with the version of these settings."""
        return to_json(self, "training")

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TrainConfig:
        """The inverse of ``as_json``, for what earlier versions wrote too. Raises DataError."""
        return from_json(cls, values, "training")
