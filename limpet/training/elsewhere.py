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


def show_elsewhere(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
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
