"""Opening pictures with Pillow within the limits of size, before anything of them is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from PIL import Image

from limpet.core.limits import frame_sizes, is_frame_size, limits


def open_image(source: str | Path | IO[bytes]) -> Image.Image:
    """As ``PIL.Image.open``, to be used in ``with``.

    Raises:
        ValueError: it is larger than ``limpet.core.limits`` allow; its size and the limits are named.
        OSError, SyntaxError, Image.DecompressionBombError: it cannot be read.
    """
    most = limits().pixels
    if Image.MAX_IMAGE_PIXELS is not None and most > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = most  # Pillow's own limit would forbid what ours allows
    image = Image.open(source)
    if not is_frame_size(image.height, image.width):
        image.close()
        raise ValueError(f"it is {image.height}x{image.width}; expected {frame_sizes()}")
    return image
