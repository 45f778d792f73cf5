"""Renders a clip from its layers on the training device: warp, bend, cut and paste, motion blur.

Shapes: T frames, H W pixels of the clip; a layer has a height and width of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from limpet.data.layers import Layer, RawClip, local_scale
from limpet.data.photometric import apply_motion_blur, change_colour
from limpet.data.random_warps import project


def render(clip: RawClip, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames and ids of a clip, before the photometric augmentation.

    Returns:
        images: float32 (T, 3, H, W) in [0, 1]. masks: int64 (T, H, W), ids of the clip.
    """
    scene = clip.layers[0]
    images, masks = _render_scene(scene, clip.frames, device)
    for layer in clip.layers[1:]:
        _paste(layer, images, masks)
    return images, masks


def sampling_grid(layer: Layer, device: torch.device) -> torch.Tensor:
    """Where each output pixel of the layer's window comes from: (T, height, width, 2) in [-1, 1] of its images.

    The bend is looked up where the homography leads, so it belongs to the object and moves with it.
    """
    top, left, bottom, right = layer.window
    height, width = layer.masks[0].shape
    # pixels -> [-1, 1] with align_corners=True, folded into the homography
    scale = np.array([[2 / max(width - 1, 1), 0, -1], [0, 2 / max(height - 1, 1), -1], [0, 0, 1.0]])
    matrix = torch.from_numpy((scale @ layer.homography).astype(np.float32)).to(device)[
        ..., None, None
    ]  # (T, 3, 3, 1, 1)
    x = torch.arange(left, right, device=device, dtype=torch.float32).view(1, 1, -1)
    y = torch.arange(top, bottom, device=device, dtype=torch.float32).view(1, -1, 1)
    u, v, w = ((m[:, 0] * x + (m[:, 1] * y + m[:, 2])) for m in matrix.unbind(1))  # each (T, height, width)
    if np.abs(layer.homography[:, 2, :2]).max() > 1e-9:  # perspective
        w = w.clamp_(min=1e-3)
        u, v = u.div_(w), v.div_(w)
    grid = torch.stack([u, v], -1)
    if layer.bend is None:
        return grid
    unit = torch.tensor([2 / max(width - 1, 1), 2 / max(height - 1, 1)], device=device)
    field = torch.from_numpy(layer.bend).to(device) * unit.view(1, 2, 1, 1)
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
    return apply_motion_blur(images, layer.motion_blur), masks[:, 0].round().long()


def _paste(layer: Layer, images: torch.Tensor, masks: torch.Tensor) -> None:
    """Puts a cut-out on top, in place. Its edge is soft in the image and at one half in the mask.

    Frame by frame: an object that moves covers far less of each than of all together.
    """
    pixels = _pixels(layer.images, images.device)
    if layer.colour is not None:
        pixels = change_colour(pixels, np.broadcast_to(layer.colour, (len(pixels), 3, 4))).clamp_(0, 1)
    alpha = _pixels([mask[..., None] for mask in layer.masks], images.device) * 255.0
    # colours are premultiplied, so that what surrounds the object in its own image does not bleed in
    sheets = torch.cat([pixels * alpha, alpha], 1)
    shrunk: dict[tuple[int, int], torch.Tensor] = {}
    for t, factor in enumerate(shrink_factors(layer).tolist()):
        frame = layer.of_frame(t, images.shape[-1])
        if frame is None:
            continue
        index = min(t, len(sheets) - 1)
        if (index, factor) not in shrunk:
            shrunk[index, factor] = _shrink(sheets[index : index + 1], factor)
        grid = sampling_grid(frame, images.device)
        sheet = _warp(shrunk[index, factor], grid, 1, "bilinear", "zeros")
        top, left, bottom, right = frame.window
        masks[t, top:bottom, left:right].masked_fill_(sheet[0, 3] > 0.5, layer.label or 0)
        sheet = apply_motion_blur(sheet, frame.motion_blur)[0]
        images[t, :, top:bottom, left:right].mul_(1.0 - sheet[3:]).add_(sheet[:3])


def shrink_factors(layer: Layer) -> np.ndarray:
    """By how much (1, 2, 4 …) the images of a cut-out are shrunk before they are sampled in each frame: int64 (T,).

    Bilinear sampling would skip pixels of an image that is shrunk to less than half.
    """
    height, width = layer.masks[0].shape
    middle = project(np.linalg.inv(layer.homography), np.array([[width / 2, height / 2]]))[:, 0]
    scale = np.array([local_scale(h[None], p)[0] for h, p in zip(layer.homography, middle, strict=True)])
    result: np.ndarray = 2 ** np.log2(np.maximum(scale, 1.0) / 0.9).astype(np.int64).clip(0, 5)
    return result


def _shrink(sheet: torch.Tensor, factor: int) -> torch.Tensor:
    """A sheet (1, C, height, width) with its sides divided by ``factor``."""
    if factor == 1:
        return sheet
    height, width = sheet.shape[-2:]
    return F.interpolate(sheet, (max(height // factor, 2), max(width // factor, 2)), mode="area")


def _pixels(arrays: Sequence[np.ndarray], device: torch.device) -> torch.Tensor:
    """uint8 (height, width, C), one or T -> float32 (1 or T, C, height, width) in [0, 1].

    Bytes are moved to the device and converted there.
    """
    stack = np.stack(arrays)
    return torch.from_numpy(stack).to(device).permute(0, 3, 1, 2).float().mul_(1.0 / 255.0)


def _warp(source: torch.Tensor, grid: torch.Tensor, frames: int, mode: str, padding: str) -> torch.Tensor:
    if len(source) == 1:
        source = source.expand(frames, -1, -1, -1)
    return F.grid_sample(source, grid, mode=mode, padding_mode=padding, align_corners=True)


def fill_holes(pixels: torch.Tensor, holes: torch.Tensor) -> torch.Tensor:
    """Closes the holes (> 0) with what is around them: averages over ever larger cells, then back down.

    The texture that averaging loses comes from the mirrored image; a smooth patch would betray the hole.

    Args:
        pixels: (1, 3, H, W) in [0, 1]. holes: (1, 1, H, W).
    """
    known = (holes <= 0).float()
    levels = [(pixels * known, known)]
    while min(levels[-1][1].shape[-2:]) > 2:
        colour, weight = levels[-1]
        levels.append((F.avg_pool2d(colour, 2, ceil_mode=True), F.avg_pool2d(weight, 2, ceil_mode=True)))
    filled = levels[-1][0].sum((2, 3), keepdim=True) / levels[-1][1].sum((2, 3), keepdim=True).clamp(min=1e-6)
    for colour, weight in reversed(levels):
        up = F.interpolate(filled, weight.shape[-2:], mode="bilinear")
        filled = torch.where(weight > 1e-4, colour / weight.clamp(min=1e-4), up)
    smooth = F.interpolate(F.avg_pool2d(filled, 8, ceil_mode=True), pixels.shape[-2:], mode="bilinear")
    texture = ((filled - smooth) * known).flip(3)
    return torch.where(known > 0, pixels, (filled + texture).clamp(0, 1))
