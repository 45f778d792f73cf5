"""Photos with masks, from which synthetic clips are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from limpet.core.errors import DataError
from limpet.data.datasets import nothing_usable, refuse_empty_masks, why_unusable
from limpet.video.image_reader import IMAGE_SUFFIXES

LAYOUT = "photos in ROOT/images and masks of the same name in ROOT/masks/*.png"

# What the ids of a photo stand for decides how they may be used: an object can be cut out and moved by
# itself, a part moves with its object, regions tile the photo and have no background around them.
KIND_OF_PREFIX = {"clothing": "parts", "car": "parts", "bsds": "regions"}


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
