"""Sequences to be scored: bright objects on black, and a configuration that tracks them in no time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from score import ScoreConfig

TINY = ScoreConfig(
    model=None, weights=None, memory="bounded:5:2", max_size=64, enlarge=1.0, objects_at_once=None, precision="fp32",
    every=1, device="cpu", threads=1,
)  # fmt: skip


def write_sequence(root: Path, name: str, masks: Sequence[np.ndarray]) -> None:
    """One frame for each mask (H, W) of zeros and ones, in DAVIS layout."""
    for index, mask in enumerate(masks):
        for folder, pixels, ending in (
            ("JPEGImages", np.repeat(200 * mask[..., None], 3, axis=2), "jpg"),
            ("Annotations", mask, "png"),
        ):
            path = root / folder / "480p" / name / f"{index:05d}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
