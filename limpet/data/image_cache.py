"""Decoded pictures in memory, because decoding JPEG at every step would cost more than the augmentation."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from limpet.data.folders import read_mask


class UnreadableImageError(Exception):
    """A picture that can't be decoded; whoever samples takes another one."""


@dataclass(frozen=True)
class Picture:
    """A decoded picture: image uint8 (H, W, 3) RGB, mask uint8 (H, W) with ids, 0 is background."""

    image: np.ndarray
    mask: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.image.nbytes + self.mask.nbytes


@dataclass
class ImageCache:
    """Keeps decoded pictures, shrunk so that their longer side is at most ``long_side`` pixels.

    Attributes:
        long_side: in pixels; smaller pictures stay as they are.
        most: bytes to keep; beyond that, the picture that was asked for longest ago goes until it is wanted again.
        skipped: one line for every picture that turned out to be damaged.
    """

    long_side: int
    most: float = float("inf")
    skipped: list[str] = field(default_factory=list)
    nbytes: int = field(default=0, init=False)
    """Bytes of all pictures held."""
    _pictures: OrderedDict[Path, Picture | None] = field(default_factory=OrderedDict, repr=False)

    def load(self, image: Path, mask: Path) -> Picture:
        """The picture, from memory or from disk.

        Raises:
            UnreadableImageError: damaged; the name is in ``skipped`` from the first time on.
        """
        if image not in self._pictures:
            self._pictures[image] = self._decode(image, mask)
        self._pictures.move_to_end(image)
        picture = self._pictures[image]
        while self.nbytes > self.most and len(self._pictures) > 1:
            self._drop_oldest()
        if picture is None:
            raise UnreadableImageError(str(image))
        return picture

    def _decode(self, image: Path, mask: Path) -> Picture | None:
        try:
            picture = _decode(image, mask, self.long_side)
        except (OSError, ValueError) as error:
            line = f"{image.parent.name}/{image.name}: {error}"
            if line not in self.skipped:
                self.skipped.append(line)
            return None
        self.nbytes += picture.nbytes
        return picture

    def _drop_oldest(self) -> None:
        _, picture = self._pictures.popitem(last=False)
        self.nbytes -= picture.nbytes if picture is not None else 0


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
