"""Shows the reference frame elsewhere: mirrored, turned, larger or smaller, moved; so that place says nothing.

In a clip of a few frames things are still about where the reference frame had them, and a network learns to expect
them there. In a long video they are not, and another object may be where the first one was. The frame before, which
short-term memory holds, stays as it is.

Shapes: B videos side by side; H W pixels. Chance is torch's own on the CPU.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SHIFT = 0.35  # of the frame's sides, at most
ZOOM = 1.5  # at most, and its inverse at least
TURN = 0.35  # radians, at most
TRIES = 5  # until every object is still to be seen
LEAST_PIXELS = 50  # of an object that is to be seen


def augment_reference(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Frames and their masks under one random map for each video; what comes from outside is 0.

    Args:
        images: float (B, 3, H, W), normalised. masks: int64 (B, H, W).

    Returns:
        The same of each. Where no map kept all objects in view, the frame is as it was.
    """
    moved = [_moved(image, mask) for image, mask in zip(images, masks, strict=True)]
    return torch.stack([image for image, _ in moved]), torch.stack([mask for _, mask in moved])


def _moved(image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """One frame (3, H, W) and its mask (H, W)."""
    before = mask.flatten().bincount(minlength=256)
    for _ in range(TRIES):
        grid = _random_grid(mask.shape[0], mask.shape[1]).to(image.device)
        after = _sample(mask[None].to(image.dtype), grid, "nearest")[0].round().long()
        seen = after.flatten().bincount(minlength=256) >= LEAST_PIXELS
        if bool((seen | (before < LEAST_PIXELS))[1:].all()):
            return _sample(image, grid, "bilinear"), after
    return image, mask


def _sample(planes: Tensor, grid: Tensor, mode: str) -> Tensor:
    """(C, H, W) at the places of a grid (H, W, 2)."""
    return F.grid_sample(planes[None], grid[None], mode=mode, padding_mode="zeros", align_corners=False)[0]


def _random_grid(height: int, width: int) -> Tensor:
    """Where each pixel comes from: float32 (H, W, 2), x and y in [-1, 1]."""
    chance = torch.rand(5).tolist()
    angle = TURN * (2 * chance[0] - 1)
    zoom = ZOOM ** (2 * chance[1] - 1)
    mirror = -1.0 if chance[2] < 0.5 else 1.0
    cos, sin = math.cos(angle) * zoom, math.sin(angle) * zoom
    shift = [2 * SHIFT * (2 * c - 1) for c in chance[3:]]
    ratio = height / width
    matrix = torch.tensor([[[mirror * cos, -mirror * sin * ratio, shift[0]], [sin / ratio, cos, shift[1]]]])
    return F.affine_grid(matrix, [1, 1, height, width], align_corners=False)[0]


RADII = (0.4, 1.6)  # of the piece, in units of the radius of a disc as large as the object
GIVEN_AWAY = 0.6  # chance that the object loses the piece; otherwise it takes it
TO_BACKGROUND = 0.4  # chance that what is lost is nobody's though a neighbour is there
FROM_OBJECTS = 0.6  # chance that what is taken is taken from other objects alone, if there are any


def corrupt_masks(masks: Tensor, share: float) -> Tensor:
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
