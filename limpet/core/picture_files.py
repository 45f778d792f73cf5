"""Opening pictures with Pillow within the limits of size, before anything of them is decoded, and in few formats.

Pillow tells a format by a file's first bytes, whatever its name is, and starts Ghostscript for PostScript.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import IO

from PIL import Image

from limpet.core.limits import frame_sizes, is_frame_size, limits

_READ = ("PNG", "JPEG", "MPO", "JPEG2000", "WEBP", "TIFF", "BMP", "DIB", "PPM", "TGA", "GIF", "AVIF")


@cache
def picture_formats() -> tuple[str, ...]:
    """The formats that are read, those of them that this Pillow knows.

    >>> "PNG" in picture_formats(), "EPS" in picture_formats()
    (True, False)
    """
    Image.init()
    return tuple(name for name in _READ if name in Image.OPEN)


def open_image(source: str | Path | IO[bytes]) -> Image.Image:
    """As ``PIL.Image.open``, to be used in ``with``.

    Raises:
        ValueError: it is larger than ``limpet.core.limits`` allow; its size and the limits are named.
        OSError, SyntaxError, Image.DecompressionBombError: it cannot be read.
    """
    most = limits().pixels
    if Image.MAX_IMAGE_PIXELS is not None and most > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = most  # Pillow's own limit would forbid what ours allows
    image = Image.open(source, formats=picture_formats())
    if not is_frame_size(image.height, image.width):
        image.close()
        raise ValueError(f"it is {image.height}x{image.width}; expected {frame_sizes()}")
    return image
