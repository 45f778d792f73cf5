"""Decoded pictures in memory, because decoding JPEG at every step would cost more than the augmentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from limpet.data.folders import read_mask


class UnreadablePictureError(Exception):
    """A picture that can't be decoded; whoever samples takes another one."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture: image uint8 (H, W, 3) RGB, mask uint8 (H, W) with ids, 0 is background."""

    image: np.ndarray
    mask: np.ndarray


@dataclass
class PictureCache:
    """Decodes each picture once and keeps it, shrunk so that its longer side is at most ``long_side`` pixels.

    Attributes:
        long_side: in pixels; smaller pictures stay as they are.
        skipped: one line for every picture that turned out to be damaged.
    """

    long_side: int
    skipped: list[str] = field(default_factory=list)
    _pictures: dict[Path, Picture | None] = field(default_factory=dict, repr=False)

    @property
    def nbytes(self) -> int:
        """Bytes of all pictures held."""
        return sum(p.image.nbytes + p.mask.nbytes for p in list(self._pictures.values()) if p is not None)

    def load(self, image: Path, mask: Path) -> Picture:
        """The picture, from memory or from disk.

        Raises:
            UnreadablePictureError: damaged; the name is in ``skipped`` from the first time on.
        """
        if image not in self._pictures:
            try:
                self._pictures[image] = _decode(image, mask, self.long_side)
            except (OSError, ValueError) as error:
                self._pictures[image] = None
                self.skipped.append(f"{image.parent.name}/{image.name}: {error}")
        picture = self._pictures[image]
        if picture is None:
            raise UnreadablePictureError(str(image))
        return picture


def _decode(image: Path, mask: Path, long_side: int) -> Picture:
    with Image.open(image) as picture:
        pixels = np.array(picture.convert("RGB"))  # a copy, because torch wants to own what it reads
    ids = read_mask(mask)
    height, width = ids.shape
    if max(height, width) > long_side:
        scale = long_side / max(height, width)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        ids = cv2.resize(ids, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return Picture(np.ascontiguousarray(pixels), np.ascontiguousarray(ids))
