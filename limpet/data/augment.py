"""Colour, blur and noise of whole frames on the training device, and the encoder's normalisation."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from limpet.data.clip import Finish

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def finish(images: torch.Tensor, plan: Finish) -> torch.Tensor:
    """Blur, colour, gamma and noise as planned: (T, 3, H, W) in [0, 1] to the same."""
    images = gaussian_blur(images, plan.blur)
    images = change_colour(images, plan.colour).clamp_(0.0, 1.0)
    if plan.gamma != 1.0:
        images = images.clamp_(min=1e-4).pow_(plan.gamma)
    if plan.noise:
        images = (images + _noise(images, plan)).clamp_(0.0, 1.0)
    return images


def normalise(images: torch.Tensor) -> torch.Tensor:
    """RGB (..., 3, H, W) in [0, 1] less the ImageNet mean, divided by its deviation."""
    mean = torch.tensor(IMAGENET_MEAN, device=images.device).view(3, 1, 1)
    deviation = torch.tensor(IMAGENET_DEVIATION, device=images.device).view(3, 1, 1)
    return (images - mean).div_(deviation)


def denormalise(images: torch.Tensor) -> torch.Tensor:
    """What ``normalise`` was given, (..., 3, H, W)."""
    mean = torch.tensor(IMAGENET_MEAN, device=images.device).view(3, 1, 1)
    deviation = torch.tensor(IMAGENET_DEVIATION, device=images.device).view(3, 1, 1)
    return images * deviation + mean


def change_colour(images: torch.Tensor, colour: np.ndarray) -> torch.Tensor:
    """Affine map of RGB for each frame: images (T, 3, H, W), colour (T, 3, 4)."""
    frames, channels, height, width = images.shape
    matrix = torch.from_numpy(np.array(colour, np.float32)).to(images.device)
    flat = images.reshape(frames, channels, height * width)
    return torch.baddbmm(matrix[:, :, 3:], matrix[:, :, :3], flat).view(frames, channels, height, width)


def gaussian_blur(images: torch.Tensor, deviations: np.ndarray) -> torch.Tensor:
    """Blurs the frames whose deviation (pixels) is not 0; a new tensor if there is one."""
    chosen = [t for t, deviation in enumerate(deviations) if deviation > 0]
    if not chosen:
        return images
    images = images.clone()
    for t in chosen:
        deviation = float(deviations[t])
        reach = max(int(np.ceil(2.5 * deviation)), 1)
        taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
        taps /= taps.sum()
        images[t] = _along(_along(images[t], taps, 1), taps, 2)
    return images


def shift_blur(images: torch.Tensor, smear: np.ndarray) -> torch.Tensor:
    """Motion blur: each frame of (T, C, H, W) is averaged along its vector (x, y) in pixels."""
    chosen = [t for t, length in enumerate(np.abs(smear).max(1)) if length >= 1.5]
    if not chosen:
        return images
    images = images.clone()
    for t in chosen:
        taps = int(np.ceil(np.abs(smear[t]).max())) + 1
        along = np.linspace(-0.5, 0.5, taps)
        images[t] = _mean_of_shifts(
            images[t], [(round(a * smear[t, 0]), round(a * smear[t, 1])) for a in along]
        )
    return images


def _mean_of_shifts(image: torch.Tensor, shifts: list[tuple[int, int]]) -> torch.Tensor:
    """Mean of copies of (C, H, W) moved by whole pixels, edges repeated: cheaper than a convolution."""
    reach = max(max(abs(x), abs(y)) for x, y in shifts)
    height, width = image.shape[-2:]
    padded = F.pad(image[None], (reach, reach, reach, reach), mode="replicate")[0]
    total = torch.zeros_like(image)
    for x, y in shifts:
        total += padded[:, reach - y : reach - y + height, reach - x : reach - x + width]
    return total / len(shifts)


def _along(image: torch.Tensor, taps: np.ndarray, axis: int) -> torch.Tensor:
    """Correlates (C, H, W) with taps along axis 1 (rows) or 2 (columns), edges repeated."""
    reach, length = len(taps) // 2, image.shape[axis]
    padding = (reach, reach, 0, 0) if axis == 2 else (0, 0, reach, reach)
    padded = F.pad(image[None], padding, mode="replicate")[0]
    result = torch.zeros_like(image)
    for offset, tap in enumerate(taps):
        result.add_(padded.narrow(axis, offset, length), alpha=float(tap))
    return result


def _noise(images: torch.Tensor, plan: Finish) -> torch.Tensor:
    generator = torch.Generator(device=images.device).manual_seed(plan.noise_seed)
    return torch.randn(images.shape, generator=generator, device=images.device) * plan.noise
