"""A made-up data set in DAVIS layout, a few pixels large, and a tracker that repeats the first mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = (24, 40)
Ids = NDArray[np.uint8]


class RepeatsFirstMask:
    """The simplest tracker; remembers what it was given."""

    name, device, weights_sha256 = "repeat", "cpu", "ab12"

    def __init__(self) -> None:
        self.given: list[Ids] = []
        self.frames: list[tuple[int, ...]] = []

    def start(self, frame: NDArray[np.uint8], mask: Ids) -> Ids:
        self.given.append(mask)
        self.frames.append(frame.shape)
        return mask

    def step(self, frame: NDArray[np.uint8], state: Ids) -> tuple[Ids, Ids]:
        self.frames.append(frame.shape)
        return state, state


def box(
    top: int, left: int, height: int = 8, width: int = 10, number: int = 1, size: tuple[int, int] = SIZE
) -> Ids:
    mask = np.zeros(size, np.uint8)
    mask[top : top + height, left : left + width] = number
    return mask


def save_ids(path: Path, mask: Ids) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(mask)
    image.putpalette(list(range(256)) * 3)
    image.save(path)


def make_sequence(root: Path, name: str, masks: list[Ids], resolution: str = "480p") -> None:
    """Grey frames and the masks given, numbered from 00000."""
    images = root / "JPEGImages" / resolution / name
    images.mkdir(parents=True)
    for index, mask in enumerate(masks):
        Image.new("RGB", (mask.shape[1], mask.shape[0]), (90, 90, 90)).save(images / f"{index:05}.jpg")
        save_ids(root / "Annotations" / resolution / name / f"{index:05}.png", mask)


def make_split(root: Path, name: str, lines: list[str]) -> None:
    path = root / "ImageSets" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def moving_box(count: int = 6, number: int = 1) -> list[Ids]:
    return [box(6, 4 + 2 * index, number=number) for index in range(count)]
