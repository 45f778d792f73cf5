"""Between pixels and the network: frames and masks become its inputs, and its logits become masks and soft IoUs.

A mask is the most probable object of every pixel. How good it is, is estimated from the same probabilities p: the
expected intersection with the true mask is sum(p inside the mask), and the expected union is about its area +
sum(p outside). Their ratio is the *soft IoU*. It would be the expected IoU itself if every p were right; networks are
overconfident, and Platt scaling that was measured on labelled video corrects for it (limpet/core/calibration.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from limpet.core.sizes import IMAGENET_MEAN, IMAGENET_STD, resize_frame
from limpet.core.tracker_protocol import checked_confidence
from limpet.models import fixed_size as fixed
from limpet.models.base import PROBABILITY_MARGIN as MARGIN


def label_map(
    logits: Sequence[Tensor], ids: Sequence[Sequence[int]], size: tuple[int, int], align_corners: bool
) -> Tensor:
    """The most probable id of every pixel.

    Args:
        logits: for each group of objects (1, N+1, H/4, W/4) float32, background first.
        ids: for each group its N ids, 1..255.
        size: (H, W) of the result in pixels.
        align_corners: how logits are enlarged.

    Returns:
        (H, W) uint8.
    """
    if len(logits) == 1:
        return _best_plane(logits[0], ids[0], size, align_corners)
    slots = _best_of_groups(logits, size, align_corners)
    table = torch.tensor([0, *(i for group in ids for i in group)], dtype=torch.uint8, device=slots.device)
    return table[slots]


def _best_plane(logits: Tensor, ids: Sequence[int], size: tuple[int, int], align_corners: bool) -> Tensor:
    """The id of the largest logit in every pixel, (H, W); only one enlarged plane is in memory at a time.

    Softmax keeps the order of logits, so that it can be left out.
    """
    background, *objects = logits.split(1, dim=1)
    best = _enlarge(background, size, align_corners)[0, 0]
    winner = torch.zeros(size, dtype=torch.uint8, device=best.device)
    for object_id, plane in zip(ids, objects, strict=True):
        large = _enlarge(plane, size, align_corners)[0, 0]
        winner.masked_fill_(large > best, object_id)
        torch.maximum(best, large, out=best)
    return winner


def _best_of_groups(logits: Sequence[Tensor], size: tuple[int, int], align_corners: bool) -> Tensor:
    """The index (H, W) of the most probable of the background and then the objects of all groups.

    Each group has a softmax of its own; the background of all is the product of the backgrounds of the groups.
    """
    background, best, index = None, None, None
    before = 0
    for group in logits:
        probability = _enlarge(group, size, align_corners)[0].softmax(dim=0)
        background = probability[0] if background is None else background * probability[0]
        strongest, slot = probability[1:].clamp(MARGIN, 1 - MARGIN).max(dim=0)
        slot = slot + (1 + before)
        if best is None or index is None:
            best, index = strongest, slot
        else:
            index = torch.where(strongest > best, slot, index)
            best = torch.maximum(best, strongest)
        before += group.shape[1] - 1
    assert background is not None and best is not None and index is not None  # there is always a group
    return torch.where(best > background.clamp(MARGIN, 1 - MARGIN), index, torch.zeros_like(index))


def probabilities(
    logits: Sequence[Tensor], size: tuple[int, int], align_corners: bool, independent: bool = False
) -> Tensor:
    """The probabilities of the background and every object in every pixel; ``label_map`` finds the largest one.

    Groups are merged as in the official code: a softmax per group, the product of the backgrounds, everything clamped
    to MARGIN from 0 and 1, and a softmax over the logits of all.

    Args:
        logits: for each group of objects (1, N+1, h, w) float32, background first.
        size: (H, W) of the result in pixels.
        align_corners: how logits are enlarged.
        independent: the groups are single objects with logits of their own; then even one is merged as several are.

    Returns:
        (1 + all N, H, W) float32: background, then the objects, group after group.
    """
    groups = [_enlarge(group, size, align_corners)[0].softmax(dim=0) for group in logits]
    if len(groups) == 1 and not independent:
        return groups[0]
    background = torch.stack([group[0] for group in groups]).prod(dim=0, keepdim=True)
    together = torch.cat([background, *(group[1:] for group in groups)]).clamp_(MARGIN, 1 - MARGIN)
    return together.logit_().softmax(dim=0)


def object_by_object(
    logits: Sequence[Tensor], ids: Sequence[Sequence[int]]
) -> tuple[list[Tensor], list[tuple[int, ...]]]:
    """Groups of objects with independent logits as groups of one object each.

    Args:
        logits: for each group of objects (1, N+1, h, w) float32, background first. ids: for each group its N ids.

    Returns:
        For each object (1, 2, H/4, W/4), its background first, and its id.
    """
    pairs = [
        torch.cat([group[:, :1], plane], dim=1) for group in logits for plane in group[:, 1:].split(1, dim=1)
    ]
    return pairs, [(i,) for group in ids for i in group]


def soft_planes(
    merged: Tensor, counts: Sequence[int], dtype: torch.dtype, independent: bool = False
) -> list[Tensor]:
    """The input of the identity bank from probabilities, for each group.

    Args:
        merged: (1 + all N, H, W) from ``probabilities`` at the network input size.
        counts: for each group its number of objects N.
        independent: the background is that of all groups; otherwise objects of other groups count as background.

    Returns:
        For each group (1, N+1, H, W) in 0..1, background first.
    """
    background, *groups = merged.to(dtype).split([1, *counts])
    return [
        torch.cat([background if independent else 1 - objects.sum(dim=0, keepdim=True), objects]).unsqueeze(0)
        for objects in groups
    ]


def slot_planes(
    mask: Tensor, ids: Sequence[int], size: tuple[int, int], dtype: torch.dtype, independent: bool = False
) -> Tensor:
    """The input of the identity bank from a mask.

    Args:
        mask: (H, W) uint8 ids; those outside ``ids`` count as background.
        ids: the N ids of one group.
        size: (H, W) of the network input; the mask is resized to it by nearest neighbour.
        independent: ids outside ``ids`` are in no plane, instead of counting as background.

    Returns:
        (1, N+1, H, W) one-hot, background first.
    """
    if tuple(mask.shape) != size:
        mask = F.interpolate(mask[None, None], size=size, mode="nearest")[0, 0]
    slots = torch.zeros(256, dtype=torch.long)
    slots[list(ids)] = torch.arange(1, len(ids) + 1)
    table = F.one_hot(slots, len(ids) + 1).to(mask.device, dtype)  # id -> its plane
    if independent:
        table[1:, 0] = 0
    return F.embedding(mask.int(), table).permute(2, 0, 1).unsqueeze(0)  # 1 N+1 h w, channels last in memory


def draw_over(labels: Tensor, given: Tensor) -> Tensor:
    """``labels`` (H, W) with the objects of ``given`` (H, W) exactly as given; where that is 0, other objects stay."""
    others = torch.where(torch.isin(labels, given.unique()), torch.zeros_like(given), labels)
    return torch.where(given > 0, given, others)


def only_ids(labels: Tensor, ids: Sequence[int]) -> Tensor:
    """``labels`` (H, W) with every id that is not in ``ids`` set to 0."""
    values = torch.tensor(ids, dtype=labels.dtype, device=labels.device)
    return labels * torch.isin(labels, values)


def _enlarge(planes: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    return F.interpolate(planes, size=size, mode="bilinear", align_corners=align_corners)


def prepare_image(frame: NDArray[np.uint8], size: tuple[int, int], device: torch.device) -> Tensor:
    """Frame uint8 (H, W, 3) RGB -> normalised float32 (1, 3, H, W) at the network input ``size``."""
    rows = torch.from_numpy(resize_frame(frame, size)).to(device).flatten(1)  # h w*3: long rows are fast
    mean = torch.tensor(IMAGENET_MEAN, device=device).mul_(255).repeat(size[1])
    std = torch.tensor(IMAGENET_STD, device=device).mul_(255).repeat(size[1])
    image = rows.sub_(mean).div_(std).view(*size, 3)  # channels last already
    return image.permute(2, 0, 1).unsqueeze(0)


def soft_ious(logits: Sequence[Tensor], ids: Sequence[Sequence[int]]) -> dict[int, float]:
    """The soft IoU of each object's mask, 0 for an object that is not visible.

    Pixels that an object loses to an object of another group count as outside its mask.

    Args:
        logits: for each group of objects (1, N+1, H/4, W/4) float32, background first.
        ids: for each group its N ids.

    Returns:
        id -> 0..1. There is one transfer from the device, whatever the number of objects.

    Raises:
        ModelError: the logits hold values that are not numbers.
    """
    ratios = fixed.soft_ious(_probabilities(logits)).tolist()
    names = [object_id for group in ids for object_id in group]
    return {i: checked_confidence(i, ratio) for i, ratio in zip(names, ratios[1:], strict=True)}


def _probabilities(logits: Sequence[Tensor]) -> Tensor:
    """Probabilities (1 + all N, P) of the background and all objects; the backgrounds of groups are multiplied."""
    groups = [group[0].flatten(1).softmax(dim=0) for group in logits]
    if len(groups) == 1:
        return groups[0]
    background = torch.stack([group[0] for group in groups]).prod(dim=0, keepdim=True)
    return torch.cat([background, *(group[1:] for group in groups)])
