"""Photos of noise in which two rectangles are objects, and two videos in DAVIS layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def make_data(root: Path, photos: int = 4) -> Path:
    """``stills`` with photos of 80x96 pixels, and ``davis`` with the split 2017/fit: two videos of four frames."""
    chance = np.random.default_rng(0)
    for number in range(photos):
        _save(root / "stills" / "images" / f"photo{number}", root / "stills" / "masks", number, chance)
    for name in ("one", "two"):
        for t in range(4):
            frame = root / "davis" / "JPEGImages" / "480p" / name / f"{t:05d}"
            _save(frame, root / "davis" / "Annotations" / "480p" / name, t, chance)
    split = root / "davis" / "ImageSets" / "2017" / "fit.txt"
    split.parent.mkdir(parents=True)
    split.write_text("one\ntwo\n")
    return root


def _save(image: Path, masks: Path, shift: int, chance: np.random.Generator) -> None:
    mask = np.zeros((80, 96), np.uint8)
    mask[10:60, 8 + shift : 40] = 1
    mask[20:70, 50:86] = 2
    photo = chance.integers(0, 64, (80, 96, 3), dtype=np.uint8) + 60 * mask[..., None]
    for folder in (image.parent, masks):
        folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo).save(image.with_suffix(".jpg"), quality=95)
    Image.fromarray(mask).save(masks / f"{image.name}.png")
