"""Random colour changes as affine maps of RGB, so that any number of them is one matrix product."""

from __future__ import annotations

import numpy as np

from limpet.data.clip import Finish

LUMA = np.array([0.299, 0.587, 0.114])


def random_colour(rng: np.random.Generator, strength: float) -> np.ndarray:
    """Brightness, contrast, saturation, hue and tint by chance: float64 (4, 4) on (r, g, b, 1) in [0, 1]."""
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


def random_finish(rng: np.random.Generator, frames: int) -> Finish:
    """Finish of a clip: strong colour change for all frames, a weak one for each, blur, gamma, noise."""
    whole = random_colour(rng, 1.0) if rng.random() < 0.8 else np.eye(4)
    if rng.random() < 0.04:
        whole[:3, :3] = np.outer(np.ones(3), LUMA @ whole[:3, :3])  # a grey film
    flicker = 0.12 if rng.random() < 0.7 else 0.35
    colour = np.stack([random_colour(rng, flicker) @ whole for _ in range(frames)])
    blur = np.zeros(frames)
    if rng.random() < 0.12:
        blur += rng.uniform(0.4, 1.6)
    blur += np.where(rng.random(frames) < 0.08, rng.uniform(0.4, 1.8, frames), 0.0)
    return Finish(
        colour=colour[:, :3].astype(np.float32),
        gamma=float(np.exp(rng.uniform(-0.4, 0.4))) if rng.random() < 0.2 else 1.0,
        blur=blur.astype(np.float32),
        noise=float(rng.uniform(0.008, 0.04)) if rng.random() < 0.12 else 0.0,
        noise_seed=int(rng.integers(2**31)),
    )


def _turn_about_grey(angle: float) -> np.ndarray:
    """Rotation (3, 3) about the grey axis by Rodrigues' formula."""
    x = 1.0 / np.sqrt(3.0)
    cross = np.array([[0, -x, x], [x, 0, -x], [-x, x, 0]])
    result: np.ndarray = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross
    return result
