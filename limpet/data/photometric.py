"""Photometric augmentation: colour jitter, blur, gamma and noise of whole frames, and the encoder's normalisation.

Shapes: T frames, H W pixels; images float32 RGB in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from limpet.core.sizes import IMAGENET_MEAN, IMAGENET_STD
from limpet.data.trajectories import log_uniform, progress_of_change

MAX_TAPS = 15  # copies of a frame whose mean is its motion blur
LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class PhotometricParams:
    """What happens to the rendered frames of a clip, on any device.

    Args:
        colour: float32 (T, 3, 4), RGB -> RGB affine map of each frame.
        gamma: exponent of all values.
        blur: float32 (T,), standard deviation of a Gaussian in pixels, 0 is none.
        noise: standard deviation of Gaussian noise in units of the value range.
        noise_seed: the same seed gives the same noise.
    """

    colour: np.ndarray
    gamma: float
    blur: np.ndarray
    noise: float
    noise_seed: int


def apply_photometric(images: torch.Tensor, params: PhotometricParams) -> torch.Tensor:
    """Blurs, recolours and adds noise as ``params`` says: (T, 3, H, W) in [0, 1] to the same."""
    images = gaussian_blur(images, params.blur)
    images = change_colour(images, params.colour).clamp_(0.0, 1.0)
    if params.gamma != 1.0:
        images = images.clamp_(min=1e-4).pow_(params.gamma)
    if params.noise:
        images = add_noise(images, params)
    return images


def normalise(images: torch.Tensor) -> torch.Tensor:
    """RGB (..., 3, H, W) in [0, 1] minus the ImageNet mean, divided by its standard deviation."""
    mean = torch.tensor(IMAGENET_MEAN, device=images.device).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=images.device).view(3, 1, 1)
    return (images - mean).div_(std)


def denormalise(images: torch.Tensor) -> torch.Tensor:
    """The inverse of ``normalise``, (..., 3, H, W)."""
    mean = torch.tensor(IMAGENET_MEAN, device=images.device).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=images.device).view(3, 1, 1)
    return images * std + mean


def random_colour(rng: np.random.Generator, strength: float) -> np.ndarray:
    """Brightness, contrast, saturation, hue and tint at random: float64 (4, 4) on (r, g, b, 1) in [0, 1]."""
    spread = np.clip(rng.normal(0.0, 1.0, 3), -1.8, 1.8) * strength  # beyond that most pixels are clipped
    brightness, contrast, saturation = np.exp(spread * np.array([0.16, 0.18, 0.3]))
    hue = rng.normal(0.0, 0.12) * strength
    tint = np.exp(rng.normal(0.0, 0.06, 3) * strength)
    grey = np.outer(np.ones(3), LUMA)
    linear = (np.eye(3) - grey) @ _turn_about_grey(hue) * saturation + grey
    linear = np.diag(tint) @ linear * contrast * brightness
    result = np.eye(4)
    result[:3, :3] = linear
    result[:3, 3] = (1.0 - contrast) * 0.45 * brightness
    return result


def random_photometric(
    rng: np.random.Generator, frames: int, max_brightness_change: float = 1.0
) -> PhotometricParams:
    """Parameters of a clip: a strong colour change for all frames, a weak one for each, blur, gamma, noise.

    Args:
        max_brightness_change: over the clip, as a factor; 1 is none.
    """
    whole = random_colour(rng, 1.0) if rng.random() < 0.8 else np.eye(4)
    if rng.random() < 0.04:
        whole[:3, :3] = np.outer(np.ones(3), LUMA @ whole[:3, :3])  # black and white
    flicker = 0.12 if rng.random() < 0.7 else 0.35
    colour = np.stack([random_colour(rng, flicker) @ whole for _ in range(frames)])
    if max_brightness_change > 1:
        change = progress_of_change(rng, frames) - 0.5
        colour[:, :3] *= np.exp(log_uniform(rng, max_brightness_change) * change)[:, None, None]
    blur = np.zeros(frames)
    if rng.random() < 0.12:
        blur += rng.uniform(0.4, 1.6)
    blur += np.where(rng.random(frames) < 0.08, rng.uniform(0.4, 1.8, frames), 0.0)
    return PhotometricParams(
        colour=colour[:, :3].astype(np.float32),
        gamma=float(np.exp(rng.uniform(-0.4, 0.4))) if rng.random() < 0.2 else 1.0,
        blur=blur.astype(np.float32),
        noise=float(rng.uniform(0.008, 0.04)) if rng.random() < 0.12 else 0.0,
        noise_seed=int(rng.integers(2**31)),
    )


def change_colour(images: torch.Tensor, colour: np.ndarray) -> torch.Tensor:
    """Affine map of RGB for each frame: images (T, 3, H, W), colour (T, 3, 4)."""
    frames, channels, height, width = images.shape
    matrix = torch.from_numpy(np.array(colour, np.float32)).to(images.device)
    flat = images.reshape(frames, channels, height * width)
    return torch.baddbmm(matrix[:, :, 3:], matrix[:, :, :3], flat).view(frames, channels, height, width)


def gaussian_blur(images: torch.Tensor, deviations: np.ndarray) -> torch.Tensor:
    """Blurs the frames of (T, 3, H, W) whose standard deviation (T,) in pixels is not 0; a new tensor if any is."""
    chosen = [t for t, deviation in enumerate(deviations) if deviation > 0]
    if not chosen:
        return images
    images = images.clone()
    for t in chosen:
        taps = gaussian_taps(float(deviations[t]))
        images[t] = _along(_along(images[t], taps, 1), taps, 2)
    return images


def gaussian_taps(deviation: float) -> np.ndarray:
    """Weights of 2r + 1 neighbours, with a sum of 1, for a standard deviation in pixels."""
    reach = max(int(np.ceil(2.5 * deviation)), 1)
    taps: np.ndarray = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    taps /= taps.sum()
    return taps


def apply_motion_blur(images: torch.Tensor, paths: np.ndarray) -> torch.Tensor:
    """Motion blur: each frame of (T, C, H, W) is averaged along its path (T, 2), (x, y) in pixels."""
    chosen = [(t, shifts) for t, path in enumerate(paths) if (shifts := shifts_along(path))]
    if not chosen:
        return images
    images = images.clone()
    for t, shifts in chosen:
        images[t] = _mean_of_shifts(images[t], shifts)
    return images


def shifts_along(path: np.ndarray) -> list[tuple[int, int]]:
    """Whole pixels (x, y) along a path (2,), its middle being 0; none for a path that is too short to blur."""
    length = np.abs(path).max()
    if length < 1.5:
        return []
    along = np.linspace(-0.5, 0.5, min(int(np.ceil(length)) + 1, MAX_TAPS))
    return [(round(a * path[0]), round(a * path[1])) for a in along]


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


def add_noise(images: torch.Tensor, params: PhotometricParams) -> torch.Tensor:
    """The frames of a clip (T, 3, H, W) with its noise; a new tensor."""
    generator = torch.Generator(device=images.device).manual_seed(params.noise_seed)
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return (images + noise * params.noise).clamp_(0.0, 1.0)


def _turn_about_grey(angle: float) -> np.ndarray:
    """Rotation (3, 3) about the grey axis by Rodrigues' formula."""
    x = 1.0 / np.sqrt(3.0)
    cross = np.array([[0, -x, x], [x, 0, -x], [-x, x, 0]])
    result: np.ndarray = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross
    return result
