"""The clip in the package, and its exact masks.

An astronaut (id 1), a cat (id 2) and a cup (id 3) move in front of a launch pad. They occlude one another
in turn; the cup leaves the frame by half and comes back. ``scripts/make_demo_clip.py`` made it from the photographs
that ``assets/LICENSES.md`` names.

Shapes: T frames, H W pixels.
"""

from __future__ import annotations

import importlib.resources
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.core.errors import DataError

Masks = NDArray[np.uint8]

OBJECT_NAMES = {1: "astronaut", 2: "cat", 3: "cup"}

REPAIR = "the installation is damaged; repair it with: pip install --force-reinstall --no-deps limpet"


def demo_video() -> Path:
    """The clip: h264 in mp4, 88 frames of 288x512 at 24 frames per second.

    Raises:
        DataError: when it is not installed.
    """
    return _asset("clip.mp4")


def demo_masks() -> Masks:
    """The exact masks of all frames of the clip.

    Returns:
        uint8 (T, H, W): 0 background, else a key of ``OBJECT_NAMES``. A pixel belongs to the nearest object
        that covers more than half of it.

    Raises:
        DataError: when they are not installed, or damaged.
    """
    return read_masks(_asset("masks.zip"))


def first_mask() -> Masks:
    """The mask of the first frame, uint8 (H, W): the input of a tracker. Raises as `demo_masks` does."""
    mask: Masks = read_masks(_asset("masks.zip"), limit=1)[0]
    return mask


def read_masks(path: Path, limit: int | None = None) -> Masks:
    """Masks from a zip of palette PNGs, in the order of their names.

    Args:
        path: the zip file.
        limit: read only the first ``limit`` masks; None reads all.

    Returns:
        uint8 (T, H, W).

    Raises:
        DataError: when the file is not such a zip, holds no PNG, or the masks differ in size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(name for name in archive.namelist() if name.endswith(".png"))
            masks = [_read_mask(archive, name) for name in names[:limit]]
    except (OSError, zipfile.BadZipFile, SyntaxError) as error:
        raise DataError(f"cannot read the masks of the demo in {path} ({error}); {REPAIR}") from error
    if not masks:
        raise DataError(f"expected palette PNGs in {path}, found none; {REPAIR}")
    sizes = sorted({"x".join(map(str, mask.shape)) for mask in masks})
    if len(sizes) > 1:
        raise DataError(f"expected masks of one size in {path}, found {' and '.join(sizes)}; {REPAIR}")
    return np.stack(masks)


def _read_mask(archive: zipfile.ZipFile, name: str) -> Masks:
    with archive.open(name) as file, Image.open(file) as image:
        if image.mode != "P":
            raise DataError(f"expected palette PNGs, but {name} has mode {image.mode}; {REPAIR}")
        return np.array(image, np.uint8)  # (H, W) of indices


def _asset(name: str) -> Path:
    path = Path(str(importlib.resources.files("limpet.demo") / "assets" / name))
    if not path.is_file():
        raise DataError(f"expected the demo's {name} at {path}, which is not there; {REPAIR}")
    return path
