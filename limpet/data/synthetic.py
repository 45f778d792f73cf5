"""Renders a clip from its layers on the training device: warp, bend, cut and paste, motion blur."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from limpet.data.augment import change_colour, shift_blur
from limpet.data.clip import Layer, RawClip


def render(clip: RawClip, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames and ids of a clip, before its finish.

    Returns:
        images: float32 (T, 3, H, W) in [0, 1]. masks: int64 (T, H, W), ids of the clip.
    """
    scene = clip.layers[0]
    images, masks = _render_scene(scene, clip.frames, device)
    for layer in clip.layers[1:]:
        _paste(layer, images, masks)
    return images, masks


def sampling_grid(layer: Layer, device: torch.device) -> torch.Tensor:
    """Where each output pixel of the layer's window comes from: (T, h, w, 2) in [-1, 1] of its pictures.

    The bend is looked up where the homography leads, so it belongs to the object and moves with it.
    """
    top, left, bottom, right = layer.window
    height, width = layer.masks[0].shape
    # pixels -> [-1, 1] with align_corners=True, folded into the homography
    scale = np.array([[2 / max(width - 1, 1), 0, -1], [0, 2 / max(height - 1, 1), -1], [0, 0, 1.0]])
    matrix = torch.from_numpy((scale @ layer.homography).astype(np.float32)).to(device)  # (T, 3, 3)
    x = torch.arange(left, right, device=device, dtype=torch.float32).view(1, 1, -1, 1)
    y = torch.arange(top, bottom, device=device, dtype=torch.float32).view(1, -1, 1, 1)
    columns = matrix.transpose(1, 2).unsqueeze(2).unsqueeze(3)  # (T, 3, 1, 1, 3): images of x, y and 1
    mapped = x * columns[:, 0] + (y * columns[:, 1] + columns[:, 2])  # (T, h, w, 3)
    if np.allclose(layer.homography[:, 2, :2], 0.0):
        grid = mapped[..., :2]
    else:
        grid = mapped[..., :2] / mapped[..., 2:].clamp(min=1e-3)
    if layer.bend is None:
        return grid.contiguous()
    unit = torch.tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)], device=device)
    field = torch.from_numpy(layer.bend).to(device) * unit.view(1, 2, 1, 1)
    grid = grid.contiguous()
    moved = F.grid_sample(field, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return grid + moved.permute(0, 2, 3, 1)


def _render_scene(layer: Layer, frames: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    grid = sampling_grid(layer, device)
    pixels = _pixels(layer.images, device)
    ids = _pixels([mask[..., None] for mask in layer.masks], device) * 255.0
    if layer.fill_holes:
        pixels = fill_holes(pixels, ids)
        ids = torch.zeros_like(ids)
    images = _warp(pixels, grid, frames, "bilinear", "reflection")
    masks = _warp(ids, grid, frames, "nearest", "reflection")
    return shift_blur(images, layer.smear), masks[:, 0].round().long()


def _paste(layer: Layer, images: torch.Tensor, masks: torch.Tensor) -> None:
    """Puts a cut-out on top, in place. Its edge is soft in the image and at one half in the mask."""
    top, left, bottom, right = layer.window
    grid = sampling_grid(layer, images.device)
    pixels = _pixels(layer.images, images.device)
    if layer.colour is not None:
        pixels = change_colour(pixels, np.broadcast_to(layer.colour, (len(pixels), 3, 4))).clamp_(0, 1)
    alpha = _pixels([mask[..., None] for mask in layer.masks], images.device) * 255.0
    sheet = torch.cat([pixels * alpha, alpha], 1)
    shrink = _shrink_factor(layer)
    if shrink > 1:  # bilinear sampling would skip pixels of a picture that is shrunk to less than half
        height, width = sheet.shape[-2:]
        sheet = F.interpolate(sheet, (max(height // shrink, 2), max(width // shrink, 2)), mode="area")
    # colours are premultiplied, so that what surrounds the object in its own picture does not bleed in
    sheet = _warp(sheet, grid, len(images), "bilinear", "zeros")
    area = (slice(None), slice(top, bottom), slice(left, right))
    masks[area].masked_fill_(sheet[:, 3] > 0.5, layer.label or 0)
    sheet = shift_blur(sheet, layer.smear)
    under = images[:, :, top:bottom, left:right]
    under.mul_(1.0 - sheet[:, 3:]).add_(sheet[:, :3])


def _shrink_factor(layer: Layer) -> int:
    scale = float(np.sqrt(np.abs(np.linalg.det(layer.homography[0, :2, :2]))))
    return 2 ** max(int(np.log2(max(scale, 1.0) / 0.9)), 0)


def _pixels(arrays: Sequence[np.ndarray], device: torch.device) -> torch.Tensor:
    """uint8 (h, w, C), one or T -> float32 (1 or T, C, h, w) in [0, 1]; what travels is bytes."""
    stack = np.stack(arrays)
    return torch.from_numpy(stack).to(device).permute(0, 3, 1, 2).float().mul_(1.0 / 255.0)


def _warp(source: torch.Tensor, grid: torch.Tensor, frames: int, mode: str, padding: str) -> torch.Tensor:
    if len(source) == 1:
        source = source.expand(frames, -1, -1, -1)
    return F.grid_sample(source, grid, mode=mode, padding_mode=padding, align_corners=True)


def fill_holes(pixels: torch.Tensor, holes: torch.Tensor) -> torch.Tensor:
    """Closes the holes (> 0) with what is around them: averages over ever larger cells, then back down.

    Args:
        pixels: (1, 3, H, W). holes: (1, 1, H, W).
    """
    known = 1.0 - F.max_pool2d(
        (holes > 0).float(), 9, stride=1, padding=4
    )  # masks seldom reach the very edge
    levels = [(pixels * known, known)]
    while min(levels[-1][1].shape[-2:]) > 2 and len(levels) < 9:
        levels.append(
            (F.avg_pool2d(levels[-1][0], 2, ceil_mode=True), F.avg_pool2d(levels[-1][1], 2, ceil_mode=True))
        )
    coarse = levels[-1][0].sum((2, 3), keepdim=True) / levels[-1][1].sum((2, 3), keepdim=True).clamp(min=1e-6)
    for colour, weight in reversed(levels):
        size = (weight.shape[-2], weight.shape[-1])
        up = F.interpolate(coarse, size, mode="bilinear" if coarse.shape[-1] > 1 else "nearest")
        coarse = torch.where(weight > 1e-4, colour / weight.clamp(min=1e-4), up)
    return torch.where(known > 0, pixels, coarse)
