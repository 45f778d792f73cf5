"""A teacher that is easily foreseen, and two clips for it to label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from limpet.core.masks import read_ids
from limpet.data.footage import find_footage
from limpet.distillation.label_footage import LabelConfig, LabelResult, label_footage
from limpet.state import TrackerState
from limpet.tracking.tracker import Tracker

HEIGHT, WIDTH, FRAMES = 48, 64, 8
CONFIG = LabelConfig()


class Teacher(Tracker):
    """Says that everything moves a pixel to the right a frame; ``sure(frame, id)`` is how sure it is."""

    def __init__(self, model: Any) -> None:
        super().__init__(model, precision="fp32", name="teacher", weights_sha256="a" * 64)
        self.sure: Callable[[int, int], float] = lambda frame, number: 0.9
        self.steps = 0
        self.sizes_seen: set[tuple[int, ...]] = set()

    def start(self, frame: np.ndarray, mask: np.ndarray) -> TrackerState:
        self.ids = [int(number) for number in np.unique(mask) if number]
        return TrackerState((), 0, torch.from_numpy(mask.copy()), mask.shape)

    def step(self, frame: np.ndarray, state: TrackerState) -> tuple[np.ndarray, TrackerState]:
        self.steps += 1
        self.sizes_seen.add(frame.shape)
        index, mask = state.frame_index + 1, np.roll(state.mask.numpy(), 1, axis=1)
        sure = {number: self.sure(index, number) for number in self.ids}
        return mask, replace(state, mask=torch.from_numpy(mask), frame_index=index, confidence=sure)


def make_frames(folder: Path, count: int = FRAMES, seed: int = 0) -> Path:
    folder.mkdir(parents=True)
    chance = np.random.default_rng(seed)
    for number in range(count):
        noise = chance.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number:05d}.png")
    return folder


def first_mask(*ids: int) -> np.ndarray:
    """Squares side by side."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for place, number in enumerate(ids):
        mask[10:30, 2 + 14 * place : 12 + 14 * place] = number
    return mask


def label(place: Path, teacher: Tracker, config: LabelConfig = CONFIG, **options: Any) -> LabelResult:
    footage = find_footage(place / "footage")
    return label_footage(teacher, footage, place / "masks", place / "cache", config, **options)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def labels_of(place: Path, name: str) -> list[np.ndarray]:
    return [read_ids(path) for path in sorted((place / "cache" / "Annotations" / "480p" / name).iterdir())]
