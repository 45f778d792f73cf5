"""Videos with masks from limpet's own clip generator, in the layout of DAVIS: photos of noise whose objects move."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from limpet.core.masks import write_mask
from limpet.core.sizes import IMAGENET_MEAN, IMAGENET_STD
from limpet.data.config import ClipConfig
from limpet.data.stills import StillsFolder
from limpet.data.training_clips import TrainingClips


def write_stills(root: Path, size: int = 160) -> None:
    """Two photos of coloured noise, each with two discs that are objects."""
    chance = np.random.default_rng(5)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for name in ("one", "two"):
        small = chance.integers(0, 256, (size // 16, size // 16, 3), dtype=np.uint8)
        photo, mask = cv2.resize(small, (size, size)), np.zeros((size, size), np.uint8)
        for number, centre in enumerate(((size // 3, size // 3), (2 * size // 3, 3 * size // 5)), start=1):
            cv2.circle(mask, centre, size // 7, number, -1)
            photo[mask == number] = chance.integers(0, 256, 3)
        Image.fromarray(photo).save(root / "images" / f"{name}.png")
        write_mask(root / "masks" / f"{name}.png", mask)


def write_videos(root: Path, count: int, frames: int, size: int = 96) -> None:
    """``count`` videos below ``root``: JPEGImages, Annotations and a list ``all``."""
    write_stills(root / "stills")
    config = ClipConfig(frames=frames, size=size, batch=count, video_prob=(0.0, 0.0), seed=3)
    clips = TrainingClips(config, StillsFolder(root / "stills")).batch(0)
    pixels = clips.images.permute(1, 0, 3, 4, 2).numpy() * np.array(IMAGENET_STD) + np.array(IMAGENET_MEAN)
    for number in range(count):
        for index in range(frames):
            frame = (255 * pixels[number, index]).round().clip(0, 255).astype(np.uint8)
            images = root / "JPEGImages" / "480p" / f"clip-{number}"
            images.mkdir(parents=True, exist_ok=True)
            Image.fromarray(frame).save(images / f"{index:05}.png")
            masks = root / "Annotations" / "480p" / f"clip-{number}"
            masks.mkdir(parents=True, exist_ok=True)
            write_mask(masks / f"{index:05}.png", clips.masks[index, number].numpy().astype(np.uint8))
    (root / "ImageSets").mkdir()
    (root / "ImageSets" / "all.txt").write_text("".join(f"clip-{number}\n" for number in range(count)))
