"""How good the masks of a step are, told from the probabilities that they came from.

Confidence is the expected IoU (the J of DAVIS) of an object's mask in this frame with its true mask, 0..1. A mask cut
from probabilities p has the expected intersection sum(p inside) and, about, the expected union area + sum(p outside).
Their ratio is the *soft IoU*. It would be the confidence itself if every p were right; networks are too sure of
themselves, and a calibration measured on labelled video maps one to the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from limpet.models import fixed


def soft_ious(scores: Sequence[Tensor], ids: Sequence[Sequence[int]]) -> dict[int, float]:
    """The soft IoU of each object's mask, 0 where an object wins no place.

    What an object loses to one of another group counts as outside of its mask.

    Args:
        scores: for each group of objects (1, N+1, h, w) float32, background first.
        ids: for each group its N ids.

    Returns:
        id -> 0..1. The device is asked once, whatever the number of objects.
    """
    ratios = fixed.soft_ious(_probabilities(scores)).tolist()
    names = [object_id for group in ids for object_id in group]
    return dict(zip(names, ratios[1:], strict=True))


def _probabilities(scores: Sequence[Tensor]) -> Tensor:
    """(1+N, h*w) of background and all objects; of several groups the backgrounds are multiplied."""
    groups = [group[0].flatten(1).softmax(dim=0) for group in scores]
    if len(groups) == 1:
        return groups[0]
    background = torch.stack([group[0] for group in groups]).prod(dim=0, keepdim=True)
    return torch.cat([background, *(group[1:] for group in groups)])
