"""A few thumbnails spread evenly over a video whose length is not known in advance."""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Thumbnail:
    """One picture of the strip: the frame's index, its time in seconds, the picture as a small JPEG."""

    index: int
    time: float
    jpeg: bytes

    def image(self) -> Image.Image:
        """The picture, RGB."""
        return Image.open(io.BytesIO(self.jpeg)).convert("RGB")


class Filmstrip:
    """Keeps fewer than ``4 * count`` small pictures, evenly spread over the frames seen so far.

    Every ``stride``-th frame is kept; when the strip is full, every other one goes and the stride doubles. So
    the memory is bounded (about 15 kB a picture) however long the video is.
    """

    def __init__(self, count: int = 8, width: int = 320) -> None:
        self._count, self._width = count, width
        self._stride = 1
        self._kept: list[Thumbnail] = []
        self._seen = 0

    def wants(self) -> bool:
        """Whether the next frame is one to keep; lets the caller skip drawing the others."""
        return self._seen % self._stride == 0

    def skip(self) -> None:
        """Count a frame that ``wants`` did not ask for."""
        self._seen += 1

    def add(self, index: int, time: float, image: NDArray[np.uint8]) -> Thumbnail:
        """Keep ``image`` uint8 (H, W, 3) RGB, made small, and return what was kept."""
        scale = min(1.0, self._width / max(image.shape[:2]))
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(small).save(buffer, format="JPEG", quality=85)
        thumbnail = Thumbnail(index, time, buffer.getvalue())
        self.keep(thumbnail)
        return thumbnail

    def keep(self, thumbnail: Thumbnail) -> None:
        """Keep a picture of which there is a thumbnail already."""
        self._kept.append(thumbnail)
        self._seen += 1
        if len(self._kept) >= 4 * self._count:
            self._kept = self._kept[::2]
            self._stride *= 2

    def thumbnails(self) -> list[Thumbnail]:
        """At most ``count`` pictures, evenly spread, the first and the last kept one among them."""
        if len(self._kept) <= self._count:
            return list(self._kept)
        places = np.linspace(0, len(self._kept) - 1, self._count).round().astype(int)
        return [self._kept[place] for place in places]
