"""Frames and masks for measurements: made up, with the objects moving a little from frame to frame."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def made_up_clip(size: tuple[int, int], objects: int, frames: int) -> tuple[list[Bytes], Bytes]:
    """Coloured discs that wander over a smooth pattern.

    Returns:
        frames uint8 (H, W, 3), to be looped, and the mask uint8 (H, W) of the first, with the ids 1..objects.
    """
    height, width = size
    rng = np.random.default_rng(0)
    pattern = rng.integers(0, 255, (height // 16 + 1, width // 16 + 1, 3)).astype(np.uint8)
    background = cv2.resize(pattern, (width, height), interpolation=cv2.INTER_CUBIC)
    centres = rng.uniform(0.2, 0.8, (objects, 2)) * (width, height)
    colours = rng.integers(0, 255, (objects, 3))
    radius = round(min(size) / (4 + objects))
    mask = np.zeros(size, np.uint8)
    clip = [background.copy() for _ in range(frames)]
    for number, (centre, colour) in enumerate(zip(centres, colours, strict=True), start=1):
        cv2.circle(mask, [round(c) for c in centre], radius, number, -1)
        for index, frame in enumerate(clip):
            angle = 2 * np.pi * index / frames
            place = centre + radius / 2 * np.array([np.sin(angle), np.cos(angle) - 1])
            cv2.circle(frame, [round(c) for c in place], radius, colour.tolist(), -1)
    return clip, mask
