"""Merges objects that have logits of their own: the soft aggregation of STM and STCN."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from limpet.models.attention import MASKED_LOGIT

AGGREGATION_MARGIN = 1e-7
"""Probabilities are kept this far from 0 and 1, as the code of STCN does."""


def soft_aggregation(objects: Tensor) -> Tensor:
    """Log-odds of objects, each against its own background, as log-odds of the background of all and of every object.

    The background's probability is the product of those of the objects' backgrounds (STM and STCN).

    Args:
        objects: (B, N, ...) log-odds; MASKED_LOGIT, where a slot holds no object, stays.

    Returns:
        (B, N + 1, ...) within those of AGGREGATION_MARGIN, background first.
    """
    if objects.shape[1] == 1:
        background = -objects
    else:
        log_probability = -F.softplus(objects).sum(dim=1, keepdim=True).clamp_min(AGGREGATION_MARGIN)
        background = log_probability - torch.log(-torch.expm1(log_probability))
    most = math.log((1 - AGGREGATION_MARGIN) / AGGREGATION_MARGIN)
    kept = objects.clamp(-most, most).masked_fill(objects < MASKED_LOGIT / 2, MASKED_LOGIT)
    return torch.cat([background.clamp(-most, most), kept], dim=1)
