"""Augmentation of what a network remembers during training: the reference frame moved, and masks corrupted.

**Reference augmentation.** In a clip of a few frames objects stay close to where the reference frame had them, and a
network learns to expect them there. In a long video they move away, and another object may take the place of the first.
So long-term memory may show the reference frame mirrored, rotated, scaled and shifted. The previous frame, which
short-term memory holds, is not changed.

**Mask corruption.** A clip of a few frames is too short for the errors of a long video: an object that passes another
one loses a little of itself to it in each frame, is gone after a second, and is not found again, although the first
frame still shows what belongs to which object. So in the memory of the previous frame a piece of an object is given to
its neighbour or to the background, or the object takes a piece of what is around it. Where that memory is kept as
long-term memory, so is the error; that of the reference frame is right. The true masks remain the target.

Shapes: B clips; H W pixels. Random numbers are torch's own, on the CPU.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_SHIFT = 0.35  # as a share of the frame's sides
MAX_SCALE = 1.5  # its inverse is the smallest
MAX_ROTATION = 0.35  # radians
ATTEMPTS = 5  # to find a map that keeps every object in view
MIN_PIXELS = 50  # of an object that counts as in view

RADII = (0.4, 1.6)  # of the piece, in units of the radius of a disc as large as the object
LOSES_PIECE = 0.6  # probability that the object loses the piece; otherwise it takes it
TO_BACKGROUND = 0.4  # probability that a lost piece becomes background even where a neighbour is
FROM_OBJECTS = 0.6  # probability that a piece is taken from other objects alone, if there are any


def augment_reference(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Frames and treceiver masks under one random affine map for each clip; what comes from outside is 0.

    Args:
        images: float (B, 3, H, W), normalised. masks: int64 (B, H, W).

    Returns:
        Images and masks of the same shapes. Where no map kept all objects in view, the frame is unchanged.
    """
    mapped = [_randomly_mapped(image, mask) for image, mask in zip(images, masks, strict=True)]
    return torch.stack([image for image, _ in mapped]), torch.stack([mask for _, mask in mapped])


def _randomly_mapped(image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """One frame (3, H, W) and its mask (H, W)."""
    before = mask.flatten().bincount(minlength=256)
    for _ in range(ATTEMPTS):
        grid = _random_grid(mask.shape[0], mask.shape[1]).to(image.device)
        after = _sample(mask[None].to(image.dtype), grid, "nearest")[0].round().long()
        seen = after.flatten().bincount(minlength=256) >= MIN_PIXELS
        if bool((seen | (before < MIN_PIXELS))[1:].all()):
            return _sample(image, grid, "bilinear"), after
    return image, mask


def _sample(planes: Tensor, grid: Tensor, mode: str) -> Tensor:
    """(C, H, W) sampled at the locations of a grid (H, W, 2)."""
    return F.grid_sample(planes[None], grid[None], mode=mode, padding_mode="zeros", align_corners=False)[0]


def _random_grid(height: int, width: int) -> Tensor:
    """Where each pixel comes from: float32 (H, W, 2), x and y in [-1, 1]."""
    uniform = torch.rand(5).tolist()
    angle = MAX_ROTATION * (2 * uniform[0] - 1)
    scale = MAX_SCALE ** (2 * uniform[1] - 1)
    mirror = -1.0 if uniform[2] < 0.5 else 1.0
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    shift = [2 * MAX_SHIFT * (2 * u - 1) for u in uniform[3:]]
    ratio = height / width
    matrix = torch.tensor([[[mirror * cos, -mirror * sin * ratio, shift[0]], [sin / ratio, cos, shift[1]]]])
    return F.affine_grid(matrix, [1, 1, height, width], align_corners=False)[0]


def corrupt_masks(masks: Tensor, probability: float) -> Tensor:
    """Masks of which about a share of ``probability`` is corrupted.

    Args:
        masks: int64 (B, H, W) of ids. probability: 0 to 1.

    Returns:
        int64 (B, H, W); ``masks`` itself where none was corrupted.
    """
    chosen = [b for b in range(len(masks)) if probability > 0 and _uniform() < probability]
    if not chosen:
        return masks
    corrupted = masks.clone()
    for b in chosen:
        corrupted[b] = _corrupted(masks[b])
    return corrupted


def _corrupted(mask: Tensor) -> Tensor:
    """A mask (H, W) with one piece of an object changed; a mask without objects stays as it is."""
    ids = mask.unique()
    ids = ids[ids > 0]
    if not len(ids):
        return mask
    own = ids[_index(len(ids))]
    piece = _ellipse(mask == own)
    others = piece & (mask != own) & (mask > 0)
    if _uniform() < LOSES_PIECE:
        alone = _uniform() < TO_BACKGROUND or not bool(others.any())
        receiver = mask.new_zeros(()) if alone else mask[others].mode().values
        return torch.where(piece & (mask == own), receiver, mask)
    taken = others if _uniform() < FROM_OBJECTS and bool(others.any()) else piece
    return torch.where(taken, own, mask)


def _ellipse(region: Tensor) -> Tensor:
    """A random ellipse around a random pixel of a region; both are bool (H, W)."""
    ys, xs = region.nonzero(as_tuple=True)
    centre = _index(len(ys))
    radius = math.sqrt(len(ys) / math.pi) * (RADII[0] + (RADII[1] - RADII[0]) * _uniform())
    longer, angle = math.exp(0.8 * _uniform() - 0.4), math.pi * _uniform()
    y = torch.arange(region.shape[0], device=region.device)[:, None] - ys[centre]
    x = torch.arange(region.shape[1], device=region.device)[None, :] - xs[centre]
    along = (x * math.cos(angle) + y * math.sin(angle)) / longer
    across = (y * math.cos(angle) - x * math.sin(angle)) * longer
    return along**2 + across**2 <= radius**2


def _uniform() -> float:
    return float(torch.rand(()))


def _index(count: int) -> int:
    return int(torch.randint(count, ()))
