"""From the network's scores to masks with the user's ids, and back to what the identity bank reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from limpet.core.sizes import IMAGENET_MEAN, IMAGENET_STD, resize_frame
from limpet.models import fixed_size as fixed
from limpet.models.base import PROBABILITY_MARGIN as MARGIN


def label_map(
    scores: Sequence[Tensor], ids: Sequence[Sequence[int]], size: tuple[int, int], align_corners: bool
) -> Tensor:
    """The most probable id of every pixel.

    Args:
        scores: for each group of objects (1, N+1, h, w) float32, background first.
        ids: for each group its N ids, 1..255.
        size: (H, W) of the result in pixels.
        align_corners: how scores are enlarged.

    Returns:
        (H, W) uint8.
    """
    if len(scores) == 1:
        return _best_plane(scores[0], ids[0], size, align_corners)
    slots = _best_of_groups(scores, size, align_corners)
    table = torch.tensor([0, *(i for group in ids for i in group)], dtype=torch.uint8, device=slots.device)
    return table[slots]


def _best_plane(scores: Tensor, ids: Sequence[int], size: tuple[int, int], align_corners: bool) -> Tensor:
    """Id (H, W) of the largest plane after enlarging; one enlarged plane is in memory at a time.

    Softmax keeps the order, so that it can be left out.
    """
    background, *objects = scores.split(1, dim=1)
    best = _enlarge(background, size, align_corners)[0, 0]
    winner = torch.zeros(size, dtype=torch.uint8, device=best.device)
    for object_id, plane in zip(ids, objects, strict=True):
        large = _enlarge(plane, size, align_corners)[0, 0]
        winner.masked_fill_(large > best, object_id)
        torch.maximum(best, large, out=best)
    return winner


def _best_of_groups(scores: Sequence[Tensor], size: tuple[int, int], align_corners: bool) -> Tensor:
    """Index (H, W) over background and then all groups' objects.

    Each group has its own softmax; the background of all is the product of the groups' backgrounds.
    """
    background, best, index = None, None, None
    before = 0
    for group in scores:
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
    scores: Sequence[Tensor], size: tuple[int, int], align_corners: bool, independent: bool = False
) -> Tensor:
    """How probable background and every object are in every pixel; their largest is what ``label_map`` finds.

    Groups are merged as the official code does it: a softmax a group, the backgrounds multiplied, everything kept
    MARGIN from 0 and 1, and a softmax over the logits of all.

    Args:
        scores: for each group of objects (1, N+1, h, w) float32, background first.
        size: (H, W) of the result in pixels.
        align_corners: how scores are enlarged.
        independent: groups are objects with logits of their own; then a single one is merged like several.

    Returns:
        (1 + all N, H, W) float32: background, then the objects, group after group.
    """
    groups = [_enlarge(group, size, align_corners)[0].softmax(dim=0) for group in scores]
    if len(groups) == 1 and not independent:
        return groups[0]
    background = torch.stack([group[0] for group in groups]).prod(dim=0, keepdim=True)
    together = torch.cat([background, *(group[1:] for group in groups)]).clamp_(MARGIN, 1 - MARGIN)
    return together.logit_().softmax(dim=0)


def object_by_object(
    scores: Sequence[Tensor], ids: Sequence[Sequence[int]]
) -> tuple[list[Tensor], list[tuple[int, ...]]]:
    """Groups of objects with independent logits as groups of one object each.

    Args:
        scores: for each group of objects (1, N+1, h, w) float32, background first. ids: for each group its N ids.

    Returns:
        For each object (1, 2, h, w), what it competes with first, and its id.
    """
    pairs = [
        torch.cat([group[:, :1], plane], dim=1) for group in scores for plane in group[:, 1:].split(1, dim=1)
    ]
    return pairs, [(i,) for group in ids for i in group]


def soft_planes(
    merged: Tensor, counts: Sequence[int], dtype: torch.dtype, independent: bool = False
) -> list[Tensor]:
    """What the identity bank reads of probabilities, for each group.

    Args:
        merged: (1 + all N, h, w) from ``probabilities`` at the size of the network's image.
        counts: for each group its number of objects N.
        independent: the background is that of all groups; else what belongs to other groups counts as background.

    Returns:
        For each group (1, N+1, h, w) in 0..1, background first.
    """
    background, *groups = merged.to(dtype).split([1, *counts])
    return [
        torch.cat([background if independent else 1 - objects.sum(dim=0, keepdim=True), objects]).unsqueeze(0)
        for objects in groups
    ]


def slot_planes(
    mask: Tensor, ids: Sequence[int], size: tuple[int, int], dtype: torch.dtype, independent: bool = False
) -> Tensor:
    """What the identity bank reads of a mask.

    Args:
        mask: (H, W) uint8 ids; those outside ``ids`` count as background.
        ids: the N ids of one group.
        size: (h, w) of the network's image; the mask is resized to it by nearest neighbour.
        independent: ids outside ``ids`` do not count as background but are in no plane.

    Returns:
        (1, N+1, h, w) one-hot, background first.
    """
    if tuple(mask.shape) != size:
        mask = F.interpolate(mask[None, None], size=size, mode="nearest")[0, 0]
    slots = torch.zeros(256, dtype=torch.long)
    slots[list(ids)] = torch.arange(1, len(ids) + 1)
    table = F.one_hot(slots, len(ids) + 1).to(mask.device, dtype)  # id -> its plane
    if independent:
        table[1:, 0] = 0
    return F.embedding(mask.int(), table).permute(2, 0, 1).unsqueeze(0)  # 1 N+1 h w, channels last in memory


def _enlarge(planes: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    return F.interpolate(planes, size=size, mode="bilinear", align_corners=align_corners)


def prepare_image(frame: NDArray[np.uint8], size: tuple[int, int], device: torch.device) -> Tensor:
    """Frame (H, W, 3) RGB 0..255 -> (1, 3, h, w) float32 of the network's size, normalised."""
    rows = torch.from_numpy(resize_frame(frame, size)).to(device).flatten(1)  # h w*3: long rows are fast
    mean = torch.tensor(IMAGENET_MEAN, device=device).mul_(255).repeat(size[1])
    deviation = torch.tensor(IMAGENET_STD, device=device).mul_(255).repeat(size[1])
    image = rows.sub_(mean).div_(deviation).view(*size, 3)  # channels last already
    return image.permute(2, 0, 1).unsqueeze(0)


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
