"""Renders the clips of a step together: the pixel work of ``limpet.data.rendering`` in few large operations.

A GPU that renders clip by clip and layer by layer waits for Python. Here the scenes of all clips are one batch, then
their first pasted layers, and so on. Images of different sizes share a canvas, in which each has its own upper left
corner; what lies outside of an image is looked up by its own size. ``render`` is the reference: the results agree up
to rounding.

Shapes: B clips, T frames, H W pixels of the clips; n layers, each with T frames; a canvas is as large as the largest
image in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from limpet.data.layers import Layer, RawClip
from limpet.data.photometric import (
    PhotometricParams,
    add_noise,
    change_colour,
    gaussian_taps,
    normalise,
    shifts_along,
)
from limpet.data.rendering import fill_holes, shrink_factors

NO_COLOUR = np.eye(3, 4, dtype=np.float32)


def render_batch(clips: Sequence[RawClip], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames and ids of clips of one length and size, after the photometric augmentation.

    Returns:
        images: float32 (B, T, 3, H, W), normalised. masks: int64 (B, T, H, W), ids of each clip.
    """
    images, masks = _render_scenes([clip.layers[0] for clip in clips], clips[0], device)
    for depth in range(1, max(len(clip.layers) for clip in clips)):
        members = [index for index, clip in enumerate(clips) if len(clip.layers) > depth]
        _paste([clips[index].layers[depth] for index in members], members, images, masks)
    return normalise(apply_photometrics(images, [clip.photometric for clip in clips])), masks.long()


def keep_visible_batch(masks: torch.Tensor, min_pixels: int) -> tuple[torch.Tensor, list[int]]:
    """``keep_visible`` of B clips: masks int64 (B, T, H, W), ids below 256; returns them and N of each."""
    batch = len(masks)
    first = masks[:, 0].flatten(1) + 256 * torch.arange(batch, device=masks.device)[:, None]
    visible = torch.bincount(first.flatten(), minlength=256 * batch).view(batch, 256) >= min_pixels
    visible[:, 0] = False
    table = torch.cumsum(visible, 1) * visible  # old id -> new id
    return table.gather(1, masks.flatten(1)).view_as(masks), visible.sum(1).tolist()


def _render_scenes(
    layers: Sequence[Layer], clip: RawClip, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (B, T, 3, H, W) and ids (B, T, H, W) of the bottom layers."""
    canvas, sizes, index = _canvas(layers, clip.frames, device)
    canvas[:, :3] *= 1.0 / 255.0
    start = 0
    for layer, (height, width) in zip(layers, sizes, strict=True):
        if layer.fill_holes:  # such a scene is one photo
            image, holes = canvas[start, :3, :height, :width], canvas[start, 3:, :height, :width]
            image.copy_(fill_holes(image[None].clone(), holes[None])[0])
            holes.zero_()
        start += len(layer.images)
    grid = _reflected(_pixel_grid(layers, clip.size, sizes, device), sizes, canvas.shape[-2:])
    found = canvas[index]  # B*T 4 height width
    images = F.grid_sample(found[:, :3], grid, "bilinear", "border", align_corners=True)
    ids = F.grid_sample(found[:, 3:], grid, "nearest", "border", align_corners=True)
    images = apply_motion_blurs(images, np.concatenate([layer.motion_blur for layer in layers]))
    shape = (len(layers), clip.frames)
    return images.unflatten(0, shape), ids[:, 0].round().unflatten(0, shape)


def _paste(
    layers: Sequence[Layer], members: Sequence[int], images: torch.Tensor, masks: torch.Tensor
) -> None:
    """Puts one cut-out on top of each of the clips ``members`` of images (B, T, 3, H, W), in place."""
    frames, size, device = images.shape[1], images.shape[-1], images.device
    canvas, sizes, index = _canvas(layers, frames, device)
    colours = [NO_COLOUR if layer.colour is None else layer.colour for layer in layers]
    counts = [len(layer.images) for layer in layers]
    pixels = change_colour(canvas[:, :3] / 255.0, np.repeat(np.stack(colours), counts, 0)).clamp_(0, 1)
    alpha = canvas[:, 3:]
    # premultiplied, so that neither what surrounds an object nor the rest of the canvas bleeds in
    sheets = torch.cat([pixels * alpha, alpha], 1)
    sheets, index, ratios = _with_shrunk(layers, sheets, sizes, index)
    grid = _pixel_grid(layers, size, sizes, device) * torch.tensor(ratios, device=device)[:, None, None]
    grid = _normalised(grid, sheets.shape[-2:])
    found = F.grid_sample(sheets[index], grid, "bilinear", "zeros", align_corners=True)
    found = found * _inside_windows(layers, size, device).repeat_interleave(frames, 0)[:, None]
    opaque = (found[:, 3] > 0.5).unflatten(0, (-1, frames))
    labels = torch.tensor([float(layer.label or 0) for layer in layers], device=device)
    masks[members] = torch.where(opaque, labels[:, None, None, None], masks[members])
    found = apply_motion_blurs(found, np.concatenate([layer.motion_blur for layer in layers]))
    over = found.unflatten(0, (-1, frames))
    images[members] = images[members] * (1.0 - over[:, :, 3:]) + over[:, :, :3]


def _canvas(
    layers: Sequence[Layer], frames: int, device: torch.device
) -> tuple[torch.Tensor, list[tuple[int, int]], list[int]]:
    """All images of the layers with their masks as a fourth channel.

    Returns:
        float32 (images, 4, height, width), values 0 to 255, zero outside; (height, width) of each layer; and for each
        of the n*T frames the number of its image.
    """
    sizes = [(layer.masks[0].shape[0], layer.masks[0].shape[1]) for layer in layers]
    counts = [len(layer.images) for layer in layers]
    height, width = max(h for h, _ in sizes), max(w for _, w in sizes)
    pixels = np.zeros((sum(counts), height, width, 4), np.uint8)
    index, start = [], 0
    for layer, (h, w), count in zip(layers, sizes, counts, strict=True):
        for number, (image, mask) in enumerate(zip(layer.images, layer.masks, strict=True), start):
            pixels[number, :h, :w, :3] = image
            pixels[number, :h, :w, 3] = mask
        index += [start + (t if count > 1 else 0) for t in range(frames)]
        start += count
    moved = torch.from_numpy(pixels).to(device)  # bytes are moved, and converted there
    whole = moved.permute(0, 3, 1, 2).float().contiguous()
    return whole, sizes, index


def _pixel_grid(
    layers: Sequence[Layer], size: int, sizes: Sequence[tuple[int, int]], device: torch.device
) -> torch.Tensor:
    """Where each pixel of the clips comes from: (n*T, H, W, 2), (x, y) in pixels of the layer's images."""
    homography = np.concatenate([layer.homography for layer in layers]).astype(np.float32)
    matrix = torch.from_numpy(homography).to(device)[..., None, None]
    x = torch.arange(size, device=device, dtype=torch.float32).view(1, 1, -1)
    y = x.view(1, -1, 1)
    u, v, w = (m[:, 0] * x + (m[:, 1] * y + m[:, 2]) for m in matrix.unbind(1))
    w = w.clamp_(min=1e-3)
    grid = torch.stack([u / w, v / w], -1)
    if all(layer.bend is None for layer in layers):
        return grid
    shape = next(layer.bend.shape for layer in layers if layer.bend is not None)
    bends = [np.zeros(shape, np.float32) if layer.bend is None else layer.bend for layer in layers]
    field = torch.from_numpy(np.concatenate(bends)).to(device)
    unit = 2.0 / _last(sizes, len(field), device)
    # looked up where the homography leads, so it belongs to the object and moves with it
    moved = F.grid_sample(field, grid * unit - 1.0, "bilinear", "border", align_corners=True)
    return grid + moved.permute(0, 2, 3, 1)


def _last(sizes: Sequence[tuple[int, int]], count: int, device: torch.device) -> torch.Tensor:
    """The last (x, y) of each image, (count, 1, 1, 2): count is n*T."""
    last = [[max(width - 1, 1), max(height - 1, 1)] for height, width in sizes]
    each = torch.tensor(last, device=device, dtype=torch.float32)
    return each.repeat_interleave(count // len(sizes), 0)[:, None, None]


def _normalised(grid: torch.Tensor, canvas: Sequence[int]) -> torch.Tensor:
    """Pixels (x, y) of a canvas -> -1..1."""
    last = torch.tensor([max(canvas[1] - 1, 1), max(canvas[0] - 1, 1)], device=grid.device)
    return grid * (2.0 / last) - 1.0


def _reflected(grid: torch.Tensor, sizes: Sequence[tuple[int, int]], canvas: Sequence[int]) -> torch.Tensor:
    """Pixels outside of an image (not of the canvas) are those that mirror them; in -1..1 of the canvas."""
    last = _last(sizes, len(grid), grid.device)
    grid = grid.abs().remainder(2 * last)
    return _normalised(last - (grid - last).abs(), canvas)


def _inside_windows(layers: Sequence[Layer], size: int, device: torch.device) -> torch.Tensor:
    """1 where a layer may be drawn, else 0: (n, H, W)."""
    windows = torch.tensor([layer.window for layer in layers], device=device)
    top, left, bottom, right = windows[:, :, None].unbind(1)  # each n 1
    at = torch.arange(size, device=device)
    rows, columns = (at >= top) & (at < bottom), (at >= left) & (at < right)
    return (rows[:, :, None] & columns[:, None]).float()


def _with_shrunk(
    layers: Sequence[Layer], sheets: torch.Tensor, sizes: Sequence[tuple[int, int]], index: Sequence[int]
) -> tuple[torch.Tensor, list[int], list[list[float]]]:
    """Appends what is to be sampled from a smaller image, see ``shrink_factors``.

    Returns:
        The canvas with the smaller sheets behind the others; for each of the n*T frames the number of its sheet, and
        the size (x, y) of that in units of its own.
    """
    index, ratios = list(index), [[1.0, 1.0] for _ in index]
    all_sheets, count = [sheets], len(sheets)
    frames = len(index) // len(layers)
    for number, (layer, (height, width)) in enumerate(zip(layers, sizes, strict=True)):
        factors = shrink_factors(layer)
        for factor in np.unique(factors[factors > 1]).tolist():
            chosen = [number * frames + t for t in np.flatnonzero(factors == factor).tolist()]
            sources = list(dict.fromkeys(index[frame] for frame in chosen))
            y, x = max(height // factor, 2), max(width // factor, 2)
            small = F.interpolate(sheets[sources, :, :height, :width], (y, x), mode="area")
            all_sheets.append(F.pad(small, (0, sheets.shape[-1] - x, 0, sheets.shape[-2] - y)))
            for frame in chosen:
                ratios[frame] = [(x - 1) / max(width - 1, 1), (y - 1) / max(height - 1, 1)]
                index[frame] = count + sources.index(index[frame])
            count += len(sources)
    return torch.cat(all_sheets), index, ratios


def apply_photometrics(images: torch.Tensor, params: Sequence[PhotometricParams]) -> torch.Tensor:
    """``apply_photometric`` of B clips at once: (B, T, 3, H, W) in [0, 1] to the same."""
    shape = images.shape[:2]
    flat = apply_gaussian_blurs(images.flatten(0, 1), np.concatenate([each.blur for each in params]))
    flat = change_colour(flat, np.concatenate([each.colour for each in params])).clamp_(0.0, 1.0)
    images = flat.unflatten(0, shape)
    for clip, each in zip(images, params, strict=True):  # in place; few clips have these
        if each.gamma != 1.0:
            clip.clamp_(min=1e-4).pow_(each.gamma)
        if each.noise:
            clip.copy_(add_noise(clip, each))
    return images


def apply_gaussian_blurs(images: torch.Tensor, deviations: np.ndarray) -> torch.Tensor:
    """``gaussian_blur`` of the frames (n, C, H, W) whose standard deviation (n,) is not 0, all at once."""
    chosen = np.flatnonzero(deviations > 0)
    if not len(chosen):
        return images
    each = [gaussian_taps(float(deviations[t])) for t in chosen]
    reach = max(len(taps) for taps in each) // 2
    taps = np.stack([np.pad(one, reach - len(one) // 2) for one in each]).astype(np.float32)
    weights = torch.from_numpy(taps).to(images.device)[..., None, None, None]  # n taps 1 1 1
    picks = torch.from_numpy(chosen).to(images.device)
    blurred = images[picks]
    for axis, padding in ((2, (0, 0, reach, reach)), (3, (reach, reach, 0, 0))):
        padded, length = F.pad(blurred, padding, mode="replicate"), blurred.shape[axis]
        blurred = torch.zeros_like(blurred)
        for offset in range(2 * reach + 1):
            blurred.addcmul_(padded.narrow(axis, offset, length), weights[:, offset])
    return images.index_copy(0, picks, blurred)


def apply_motion_blurs(images: torch.Tensor, paths: np.ndarray) -> torch.Tensor:
    """``apply_motion_blur`` of frames (n, C, H, W) along their paths (n, 2), all at once."""
    each = [(t, shifts) for t, path in enumerate(paths) if (shifts := shifts_along(path))]
    if not each:
        return images
    picks = torch.tensor([t for t, _ in each], device=images.device)
    most = max(len(shifts) for _, shifts in each)
    padded = np.array([shifts + [(0, 0)] * (most - len(shifts)) for _, shifts in each])  # n taps 2
    moves = torch.from_numpy(padded).to(images.device)
    weights = torch.tensor([[1.0 / len(s) if k < len(s) else 0.0 for k in range(most)] for _, s in each])
    weights = weights.to(images.device)[..., None, None, None]
    source, (height, width) = images[picks], images.shape[-2:]
    frame = torch.arange(len(each), device=images.device)[:, None, None]
    y, x = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
    rows = (y - moves[..., 1:]).clamp(0, height - 1)  # n taps H; edges are repeated
    columns = (x - moves[..., :1]).clamp(0, width - 1)  # n taps W
    blurred = torch.zeros_like(source)
    for tap in range(most):
        moved = source[frame, :, rows[:, tap, :, None], columns[:, tap, None]]  # n H W C
        blurred.addcmul_(moved.permute(0, 3, 1, 2), weights[:, tap])
    return images.index_copy(0, picks, blurred)
