"""Decoded images in memory, because decoding a JPEG at every step would cost more than the augmentation."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from limpet.core.errors import MaskError
from limpet.core.masks import read_annotation
from limpet.core.picture_files import open_image

_log = logging.getLogger(__name__)


class UnreadableImageError(Exception):
    """An image that cannot be decoded; whoever samples takes another one."""


@dataclass(frozen=True)
class LabelledImage:
    """A decoded image: image uint8 (H, W, 3) RGB, mask uint8 (H, W) with ids, 0 is background."""

    image: np.ndarray
    mask: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.image.nbytes + self.mask.nbytes


@dataclass
class ImageCache:
    """Keeps decoded images, shrunk so that their longer side is at most ``long_side`` pixels.

    A copy that is pickled, as for a worker process, starts without images.

    Attributes:
        long_side: in pixels; smaller images stay as they are.
        max_bytes: bytes to keep; beyond that, the image that was used longest ago is dropped until it is needed again.
        skipped: one line for every image that turned out to be damaged.
    """

    long_side: int
    max_bytes: float = float("inf")
    skipped: list[str] = field(default_factory=list)
    nbytes: int = field(default=0, init=False)
    """Bytes of all images held."""
    _images: OrderedDict[Path, LabelledImage | None] = field(default_factory=OrderedDict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "nbytes": 0, "_images": OrderedDict()}

    def load(self, image: Path, mask: Path) -> LabelledImage:
        """The image, from memory or from disk.

        Raises:
            UnreadableImageError: damaged; the name is in ``skipped`` from the first time on.
        """
        if image not in self._images:
            self._images[image] = self._decode(image, mask)
        self._images.move_to_end(image)
        found = self._images[image]
        while self.nbytes > self.max_bytes and len(self._images) > 1:
            self._drop_oldest()
        if found is None:
            raise UnreadableImageError(str(image))
        return found

    def _decode(self, image: Path, mask: Path) -> LabelledImage | None:
        try:
            found = _decode(image, mask, self.long_side)
        except (OSError, SyntaxError, ValueError, MaskError) as error:
            line = f"{image.parent.name}/{image.name}: {error}"
            if line not in self.skipped:
                self.skipped.append(line)
                _log.warning("skipped %s", line)  # also from worker processes, whose lists nobody reads
            return None
        self.nbytes += found.nbytes
        return found

    def _drop_oldest(self) -> None:
        _, oldest = self._images.popitem(last=False)
        self.nbytes -= oldest.nbytes if oldest is not None else 0


def _decode(image: Path, mask: Path, long_side: int) -> LabelledImage:
    with open_image(image) as file:
        pixels = np.array(file.convert("RGB"))  # a copy, because torch wants to own what it reads
    ids: np.ndarray = read_annotation(mask)
    height, width = ids.shape
    if max(height, width) > long_side:
        scale = long_side / max(height, width)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        ids = cv2.resize(ids, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return LabelledImage(np.ascontiguousarray(pixels), np.ascontiguousarray(ids))
