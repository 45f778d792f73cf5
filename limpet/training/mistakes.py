"""Mistakes put into the masks that a network remembers, so that it learns to take them back.

A clip of a few frames is too short for the mistakes of a long video: an object that passes before another loses a
little of itself to it in each frame, is gone after a second, and is not found again, although the first frame still
shows what belongs to whom. Here a piece of an object is given to its neighbour or to the background, or the object
takes a piece of what is around it, in the memory of the frame before; the true masks stay what is to be learned.

Shapes: B videos side by side; H W pixels. Chance is torch's own on the CPU.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

RADII = (0.4, 1.6)  # of the piece, in units of the radius of a disc as large as the object
GIVEN_AWAY = 0.6  # chance that the object loses the piece; otherwise it takes it
TO_BACKGROUND = 0.4  # chance that what is lost is nobody's though a neighbour is there
FROM_OBJECTS = 0.6  # chance that what is taken is taken from other objects alone, if there are any


def make_mistakes(masks: Tensor, share: float) -> Tensor:
    """Masks with a mistake in about ``share`` of them.

    Args:
        masks: int64 (B, H, W) of ids. share: 0 to 1.

    Returns:
        The same, or a new tensor.
    """
    chosen = [b for b in range(len(masks)) if share > 0 and _chance() < share]
    if not chosen:
        return masks
    spoiled = masks.clone()
    for b in chosen:
        spoiled[b] = _mistaken(masks[b])
    return spoiled


def _mistaken(mask: Tensor) -> Tensor:
    """One mistake in a mask (H, W); a mask without objects stays as it is."""
    ids = mask.unique()
    ids = ids[ids > 0]
    if not len(ids):
        return mask
    own = ids[_index(len(ids))]
    piece = _ellipse(mask == own)
    others = piece & (mask != own) & (mask > 0)
    if _chance() < GIVEN_AWAY:
        alone = _chance() < TO_BACKGROUND or not bool(others.any())
        heir = mask.new_zeros(()) if alone else mask[others].mode().values
        return torch.where(piece & (mask == own), heir, mask)
    taken = others if _chance() < FROM_OBJECTS and bool(others.any()) else piece
    return torch.where(taken, own, mask)


def _ellipse(region: Tensor) -> Tensor:
    """A random ellipse about a random pixel of a region: bool (H, W), both."""
    ys, xs = region.nonzero(as_tuple=True)
    centre = _index(len(ys))
    radius = math.sqrt(len(ys) / math.pi) * (RADII[0] + (RADII[1] - RADII[0]) * _chance())
    longer, angle = math.exp(0.8 * _chance() - 0.4), math.pi * _chance()
    y = torch.arange(region.shape[0], device=region.device)[:, None] - ys[centre]
    x = torch.arange(region.shape[1], device=region.device)[None, :] - xs[centre]
    along = (x * math.cos(angle) + y * math.sin(angle)) / longer
    across = (y * math.cos(angle) - x * math.sin(angle)) * longer
    return along**2 + across**2 <= radius**2


def _chance() -> float:
    return float(torch.rand(()))


def _index(count: int) -> int:
    return int(torch.randint(count, ()))
