"""A data set of three small photos, and a training run of a few steps on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from limpet.data import ClipConfig, StillsFolder
from limpet.training.config import TrainConfig

CLIPS = ClipConfig(frames=2, size=65, batch=1)


def make_stills(root: Path) -> StillsFolder:
    """Photos of noise, 80x96, with two rectangles as objects."""
    chance = np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number in range(3):
        mask = np.zeros((80, 96), np.uint8)
        mask[10:60, 8 + number : 40] = 1
        mask[20:70, 50:86] = 2
        photo = chance.integers(0, 256, (80, 96, 3), dtype=np.uint8) // 2 + 60 * mask[..., None]
        Image.fromarray(photo).save(root / "images" / f"photo{number}.png")
        Image.fromarray(mask).save(root / "masks" / f"photo{number}.png")
    return StillsFolder(root)


def tiny_run(**changes: Any) -> TrainConfig:
    """Six steps in float32, logged each, with a checkpoint every three."""
    settings = {"steps": 6, "clips": CLIPS, "precision": "32-true", "log_every": 1, "save_every": 3}
    return TrainConfig(**(settings | changes))
