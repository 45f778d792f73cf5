"""Photos with masks, from which synthetic clips are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from limpet.core.errors import DataError
from limpet.data.datasets import nothing_usable, refuse_empty_masks, why_unusable
from limpet.data.image_cache import LabelledImage
from limpet.video.image_reader import IMAGE_SUFFIXES

LAYOUT = "photos in ROOT/images and masks of the same name in ROOT/masks/*.png"

# What the ids of a photo stand for decides how they may be used: an object can be cut out and moved by
# itself, a part moves with its object, regions tile the photo and have no background around them.
KIND_OF_PREFIX = {"clothing": "parts", "car": "parts", "bsds": "regions"}

MIN_COMPONENT_SHARE = 0.15  # of the largest piece of a mask, for another to be an object and not a fragment
MAX_COMPONENTS = 10  # of one photo


@dataclass(frozen=True)
class Still:
    """A photo, its indexed mask, and whether its ids are ``objects``, ``parts`` or ``regions``."""

    image: Path
    mask: Path
    kind: str


class StillsFolder:
    """Photos in ``root/images`` with masks of the same stem in ``root/masks`` (indexed PNG, 0 is background).

    A file name that starts with ``clothing_`` or ``car_`` has parts, ``bsds_`` regions, all others objects.

    Attributes:
        stills: the usable photos, sorted by name.
        skipped: one line for every photo that cannot be used: its name and why.

    Raises:
        DataError: no folder, no usable photo, or a mask in which there is no object.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.skipped: list[str] = []
        self.stills: list[Still] = []
        empty: list[str] = []
        for image in self._images():
            mask = self.root / "masks" / f"{image.stem}.png"
            reason, has_object = why_unusable(image, mask)
            if reason:
                self.skipped.append(f"{image.name}: {reason}")
            elif not has_object:
                empty.append(mask.name)
            else:
                prefix = image.stem.split("_")[0]
                self.stills.append(Still(image, mask, KIND_OF_PREFIX.get(prefix, "objects")))
        refuse_empty_masks(self.root / "masks", empty)
        if not self.stills:
            raise nothing_usable("photos with masks", self.root, self.skipped, LAYOUT)

    def __len__(self) -> int:
        return len(self.stills)

    def __iter__(self) -> Iterator[Still]:
        return iter(self.stills)

    def _images(self) -> list[Path]:
        folder = self.root / "images"
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder; expected {LAYOUT}")
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


def split_components(image: LabelledImage, min_pixels: int) -> LabelledImage:
    """Gives each separate piece of the only object of a mask an id of its own, 1..N by size.

    Masks with several ids tell their objects apart already and stay as they are.

    Args:
        min_pixels: of a piece that counts as an object, if it is not small beside the largest either. The others,
            such as a hand behind a pole, stay with the nearest object.
    """
    if np.count_nonzero(np.bincount(image.mask.ravel(), minlength=256)[1:]) != 1:
        return image
    foreground = (image.mask > 0).astype(np.uint8)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(foreground, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    large = np.flatnonzero(areas >= max(min_pixels, MIN_COMPONENT_SHARE * areas.max())) + 1
    if len(large) < 2:
        return image
    large = large[np.argsort(-areas[large - 1], kind="stable")][:MAX_COMPONENTS]
    ids = np.zeros(count, np.uint8)
    ids[large] = np.arange(1, len(large) + 1)
    mask: np.ndarray = ids[pieces]
    left_over = (foreground > 0) & (mask == 0)
    if left_over.any():
        _, nearest = cv2.distanceTransformWithLabels(
            (mask == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        owner = np.zeros(int(nearest.max()) + 1, np.uint8)
        owner[nearest[mask > 0]] = mask[mask > 0]
        mask[left_over] = owner[nearest[left_over]]
    return LabelledImage(image.image, mask)
