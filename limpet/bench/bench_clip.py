"""Frames and masks for measurements: synthetic ones, whose objects move a little in each frame; or the demo clip."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import VideoError
from limpet.demo.demo_clip import OBJECT_NAMES, demo_video, first_mask
from limpet.video.encode import EncoderMissingError, H264Writer
from limpet.video.open import open_video

Bytes = NDArray[np.uint8]
RATE = Fraction(24)
SYNTHETIC = "synthetic discs"


def synthetic_clip(size: tuple[int, int], objects: int, frames: int) -> tuple[list[Bytes], Bytes]:
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
    clip = [background.copy().astype(np.uint8) for _ in range(frames)]
    for number, (centre, colour) in enumerate(zip(centres, colours, strict=True), start=1):
        cv2.circle(mask, [round(c) for c in centre], radius, number, -1)
        for index, frame in enumerate(clip):
            angle = 2 * np.pi * index / frames
            place = centre + radius / 2 * np.array([np.sin(angle), np.cos(angle) - 1])
            cv2.circle(frame, [round(c) for c in place], radius, colour.tolist(), -1)
    return clip, mask


def write_bench_clip(path: Path, size: tuple[int, int], objects: int, frames: int) -> tuple[str, Bytes]:
    """Write an h264 video for a measurement from end to end.

    It is the demo clip, resized and played forwards and backwards, so that decoding costs what it does in real video.
    The demo clip has three objects; for more it is ``synthetic_clip``.

    Args:
        size: (H, W) in pixels, both even.
        objects: how many ids the mask has. frames: length of the video.

    Returns:
        what it is, in words, and the mask uint8 (H, W) of its first frame.

    Raises:
        VideoError: there is no h264 encoder.
    """
    if objects > len(OBJECT_NAMES):
        pictures, mask = synthetic_clip(size, objects, frames)
        _encode(path, pictures, size, frames)
        return SYNTHETIC, mask
    width = size[1], size[0]
    with open_video(demo_video()) as video:
        pictures = [
            cv2.resize(frame.image, width, interpolation=cv2.INTER_LINEAR).astype(np.uint8)
            for frame in video
            if frame.image is not None and frame.index < frames
        ]
    _encode(path, pictures, size, frames)
    mask = np.asarray(cv2.resize(first_mask(), width, interpolation=cv2.INTER_NEAREST), np.uint8)
    return "the demo clip, resized", np.where(mask <= objects, mask, 0).astype(np.uint8)


def _encode(path: Path, pictures: Sequence[Bytes], size: tuple[int, int], frames: int) -> None:
    there_and_back = [*range(len(pictures)), *range(len(pictures) - 2, 0, -1)]
    try:
        writer = H264Writer(path, size, RATE)
    except EncoderMissingError as error:
        raise VideoError(f"a measurement from end to end needs a video to read: {error}") from error
    for index in range(frames):
        writer.write(pictures[there_and_back[index % len(there_and_back)]], index / float(RATE))
    writer.close()
