"""The loss of distillation: logits and attention maps together (distillation paper, eq. 12), each term a setting.

The settings repeat the paper's tables: the whole (Tables 6 and 7, with ``attention_weight``), DIST alone (Table 2,
attention "none"), KL instead of CKA (Table 4), the inter-object loss alone (Table 6), plain KL on the logits (Table 8).
Which layer's map is compared (Table 5) is the caller's choice of what to pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from limpet.attention_map import AttentionMap
from limpet.distillation.config import DistillationLossConfig
from limpet.distillation.losses.cka import cka_loss
from limpet.distillation.losses.dist import dist_losses, inter_object_loss, intra_object_loss
from limpet.distillation.losses.kl import kl_attention_loss, kl_logits_loss


class DistillationLoss(NamedTuple):
    """loss: scalar to minimise; terms: each term by name, scalar, without its weight and without gradient."""

    loss: Tensor
    terms: dict[str, Tensor]


def distillation_loss(
    student: Tensor,
    teacher: Tensor,
    maps: Sequence[tuple[AttentionMap, AttentionMap]],
    config: DistillationLossConfig,
) -> DistillationLoss:
    """Sum of the chosen terms of one frame, averaged over the batch.

    Args:
        student: (B, S, H, W) scores before the softmax; -1e10 marks slots without object.
        teacher: the same of the teacher; it gets no gradient.
        maps: pairs (student's, teacher's) of attention maps; the terms of several pairs are added up (eq. 9).
        config: see DistillationLossConfig.

    Returns:
        The terms are named inter, intra, logits_kl, attention_cka and attention_kl.

    Raises:
        ValueError: shapes do not fit, or an attention term is asked for without maps.
    """
    logits = _logit_terms(student, teacher, config)
    attention = _attention_terms(maps, config)
    weighted = [*logits.values(), *(config.attention_weight * term for term in attention.values())]
    loss = torch.stack(weighted).sum() if weighted else student.new_zeros(())
    return DistillationLoss(loss, {name: term.detach() for name, term in {**logits, **attention}.items()})


def _logit_terms(student: Tensor, teacher: Tensor, config: DistillationLossConfig) -> dict[str, Tensor]:
    match config.logits:
        case "dist":
            inter, intra = dist_losses(student, teacher, config.slots)
            return {"inter": inter.mean(), "intra": intra.mean()}
        case "inter":
            return {"inter": inter_object_loss(student, teacher, config.slots).mean()}
        case "intra":
            return {"intra": intra_object_loss(student, teacher).mean()}
        case "kl":
            return {"logits_kl": kl_logits_loss(student, teacher, config.temperature).mean()}
    return {}


def _attention_terms(
    maps: Sequence[tuple[AttentionMap, AttentionMap]], config: DistillationLossConfig
) -> dict[str, Tensor]:
    if config.attention == "none":
        return {}
    if not maps:
        raise ValueError(
            f"no attention maps came for the {config.attention} term; pass them or set attention='none'"
        )
    losses = [
        cka_loss(ours.weights, theirs.weights)
        if config.attention == "cka"
        else kl_attention_loss(ours.weights, theirs.weights, ours.grid, theirs.grid)
        for ours, theirs in maps
    ]
    return {f"attention_{config.attention}": torch.stack(losses).mean(dim=1).sum()}
