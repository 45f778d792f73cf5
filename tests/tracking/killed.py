"""What the tests of killed runs share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from networks import HEIGHT, WIDTH

from limpet.tracking.track_video import TrackResult

PIECE = 4
"""Frames in a piece of the overlay, to have several in a short clip."""
COUNT = 10
TORN = (3, 4)
"""A piece begins with a frame that cannot be read, and so does the frame before it."""
LATER = np.zeros((HEIGHT, WIDTH), np.uint8)
LATER[40:60, 60:90] = 9
Run = Callable[..., TrackResult]


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def killed(stock: Path, out: Path, after: int) -> Path:
    """What is on the disk if a run is killed after so many frames."""
    return Path(shutil.copytree(stock / str(after), out))


def flip(path: Path, place: int = -100) -> None:
    """Change a byte."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
