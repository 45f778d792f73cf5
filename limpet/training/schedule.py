"""What changes in the course of a stage, as functions of its progress, and the optimizer's parameter groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from limpet.training.config import TrainConfig
from limpet.training.losses import find_mask_loss, top_k_schedule
from limpet.training.rollout import RolloutConfig

DECAY_POWER = 0.9
WITHOUT_DECAY = ("decoder.conv_out.", "short_term.relative.value", "relative_position_bias_table")
"""Parts of the names of matrices without weight decay, as in the official recipe: the output layer, the relative
position of values in AOT's local attention, and Swin's tables of biases. The relative position of keys does decay."""


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up from the minimum to the peak, then polynomial decay of power 0.9 back to the minimum."""
    warmup_steps = max(1, round(config.warmup_ratio * config.steps))
    span = config.learning_rate - config.min_learning_rate
    if step < warmup_steps:
        return config.min_learning_rate + span * (step + 1) / warmup_steps
    remaining = 1 - (step - warmup_steps) / max(1, config.steps - warmup_steps)
    return config.min_learning_rate + span * float(max(0.0, remaining) ** DECAY_POWER)


def set_learning_rate(optimizer: torch.optim.Optimizer, config: TrainConfig, step: int) -> float:
    """Set the learning rate of each group for ``step``; returns that of the groups outside the encoder."""
    rate = learning_rate(config, step)
    for group in optimizer.param_groups:
        group["lr"] = config.min_learning_rate + (rate - config.min_learning_rate) * group["lr_ratio"]
    return rate


def rollout_config(
    config: TrainConfig, step: int, long_term_gap: int | None, reference_augmented: bool = False
) -> RolloutConfig:
    """How the clips of ``step`` are run: what memories are made of, and how the losses are weighed."""
    progress = step / config.steps
    faded = 1.0 if config.aux_loss_until == 0 else min(1.0, progress / config.aux_loss_until)
    return RolloutConfig(
        own_predictions=progress >= config.teacher_forcing_until,
        train_id_bank_throughout=config.train_id_bank_throughout,
        mask_corruption_prob=config.mask_corruption_prob,
        reference_augmented=reference_augmented,
        reference_weight=1.0 - faded,
        top_k_fraction=top_k_schedule(progress, config.top_k_fraction, config.top_k_start, config.top_k_full),
        long_term_gap=long_term_gap,
        gradient_checkpointing=config.gradient_checkpointing,
        mask_loss=find_mask_loss(config.mask_loss),
    )


def ema_decay(config: TrainConfig, step: int) -> float:
    """Decay of the weights' moving average: short at first, so that random weights are soon forgotten."""
    longest = 1 - 1 / max(2.0, config.ema_horizon * config.steps)
    return min(longest, (1 + step) / (10 + step))


def ema_update(config: TrainConfig, first_step: int) -> Callable[[Any, Any, Tensor | int], None]:
    """How ``AveragedModel`` moves its weights, in place, after each step of a run that begins at ``first_step``."""

    @torch.no_grad()
    def update(averaged: Any, current: Any, count: Tensor | int) -> None:
        decay = ema_decay(config, first_step + int(count) - 1)  # the copy at the start was counted as one
        torch._foreach_lerp_(averaged, current, 1 - decay)

    return update


def trained_together(model: nn.Module, helpers: nn.Module) -> dict[str, nn.Parameter]:
    """The model's parameters by name, and those of the objective's helpers as ``helpers.<name>``."""
    beside = {f"helpers.{name}": parameter for name, parameter in helpers.named_parameters()}
    return dict(model.named_parameters()) | beside


def build_optimizer(
    model: nn.Module, config: TrainConfig, helpers: nn.Module | None = None
) -> torch.optim.AdamW:
    """AdamW with four groups: encoder or not, with weight decay or without. ``helpers``: see ``Objective``.

    Biases, norms and what WITHOUT_DECAY names have no decay.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in trained_together(model, helpers or nn.Identity()).items():
        if not parameter.requires_grad:
            continue
        plain = parameter.dim() < 2 or any(part in name for part in WITHOUT_DECAY)
        groups.setdefault((name.startswith("encoder."), plain), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr_ratio": config.encoder_lr_ratio if encoder else 1.0,
                "weight_decay": 0.0 if plain else config.weight_decay,
            }
            for (encoder, plain), parameters in groups.items()
        ],
        lr=config.learning_rate,
    )


def id_shuffle_count(progress: float, start: float, full: float, objects: int, slots: int) -> int:
    """How many of the identity slots 1..``slots`` objects are shuffled among; 0: each is in the slot of its id.

    The official training draws a random slot out of ten for every object from the first step on. A network that starts
    from random weights then finds the objects but confuses their identities for thousands of steps: ten slots that look
    alike on average give no direction in which to tell them apart. So objects may first sit in slots 1..N, and the
    number of slots in use grows later, when telling objects apart is known and only has to be carried over.

    Args:
        progress: share of the stage that is done, 0..1.
        start: the progress up to which nothing is shuffled.
        full: the progress from which objects are shuffled among all slots; in between their number grows linearly.
        objects: N of the clip.
    """
    if progress >= full:
        return slots
    if progress < start:
        return 0
    ratio = (progress - start) / (full - start)
    return round(objects + ratio * (slots - objects))


def id_permutation(slots: int, count: int, generator: torch.Generator | None = None) -> Tensor:
    """The identity slot of every id, int64 (slots + 1,): 0 for the background, then slots 1..``count`` shuffled."""
    shuffled = 1 + torch.randperm(count, generator=generator)
    return torch.cat([torch.zeros(1, dtype=torch.long), shuffled, torch.arange(count + 1, slots + 1)])
