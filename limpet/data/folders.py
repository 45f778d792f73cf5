"""Which pictures and masks a data set on disk consists of: photos with masks, and videos in DAVIS layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from limpet.core.errors import DataError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")

# What the ids of a photo stand for decides how they may be used: an object can be cut out and moved by
# itself, a part moves with its object, regions tile the photo and have no background around them.
KIND_OF_PREFIX = {"clothing": "parts", "car": "parts", "bsds": "regions"}


@dataclass(frozen=True)
class Still:
    """A photo, its indexed mask, and whether its ids are ``objects``, ``parts`` or ``regions``."""

    image: Path
    mask: Path
    kind: str


@dataclass(frozen=True)
class VideoSequence:
    """A video with a mask for every listed frame; frames and masks have the same order and length."""

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.frames)


class StillsFolder:
    """Photos in ``root/images`` with masks of the same stem in ``root/masks`` (indexed PNG, 0 is background).

    A file name that starts with ``clothing_`` or ``car_`` has parts, ``bsds_`` regions, all others objects.

    Attributes:
        stills: the usable photos, sorted by name.
        skipped: one line for every photo that can't be used: its name and why.

    Raises:
        DataError: no folder, no usable photo, or a mask in which there is no object.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.skipped: list[str] = []
        self.stills: list[Still] = []
        empty: list[str] = []
        for image in _images_in(self.root / "images", "a stills folder has images/ and masks/"):
            mask = self.root / "masks" / f"{image.stem}.png"
            reason = _why_unusable(image, mask)
            if reason:
                self.skipped.append(f"{image.name}: {reason}")
            elif not read_mask(mask).any():
                empty.append(mask.name)
            else:
                prefix = image.stem.split("_")[0]
                self.stills.append(Still(image, mask, KIND_OF_PREFIX.get(prefix, "objects")))
        _refuse_empty_masks(self.root / "masks", empty)
        if not self.stills:
            raise DataError(_nothing_usable("photos with masks", self.root, self.skipped))

    def __len__(self) -> int:
        return len(self.stills)


class DavisFolder:
    """Videos in DAVIS layout: ``JPEGImages/<resolution>/<name>/*.jpg`` and ``Annotations/…/*.png`` alike.

    Only frames that have a mask are listed: a video whose first frame alone is labelled can't teach tracking.

    Args:
        root: the folder that holds JPEGImages and Annotations.
        split: the names to use, from ``ImageSets/<split>.txt`` (or ``2017/train``); None or "all" takes every one.
        resolution: the folder between JPEGImages and the names.

    Attributes:
        sequences: the usable videos, in the order of the split.
        skipped: one line for every frame or video that can't be used: its name and why.

    Raises:
        DataError: no folder, no split file, no usable video, or a video in whose masks there is no object.
    """

    def __init__(self, root: Path | str, split: str | None, resolution: str = "480p") -> None:
        self.root = Path(root)
        self.skipped: list[str] = []
        self.sequences: list[VideoSequence] = []
        empty: list[str] = []
        frames_root = self.root / "JPEGImages" / resolution
        if not frames_root.is_dir():
            raise DataError(
                f"{frames_root} is not a folder; DAVIS layout is JPEGImages/{resolution}/<video>/*.jpg "
                f"with masks in Annotations/{resolution}/<video>/*.png: give the folder that holds both"
            )
        masks_root = self.root / "Annotations" / resolution
        for name in split_names(self.root, split, frames_root):
            sequence = self._read_sequence(frames_root / name, masks_root / name)
            if len(sequence) < 2:
                self.skipped.append(
                    f"{name}: {len(sequence)} usable frames with a mask, at least 2 are needed"
                )
            elif not any(read_mask(mask).any() for mask in sequence.masks):
                empty.append(name)
            else:
                self.sequences.append(sequence)
        _refuse_empty_masks(masks_root, empty)
        if not self.sequences:
            raise DataError(_nothing_usable("videos with masks", self.root, self.skipped))

    def __len__(self) -> int:
        return len(self.sequences)

    def _read_sequence(self, frames: Path, masks: Path) -> VideoSequence:
        kept: list[tuple[Path, Path]] = []
        unlabelled = 0
        for image in _images_in(frames, "the split names this video"):
            mask = masks / f"{image.stem}.png"
            if not mask.is_file():
                unlabelled += 1
            elif reason := _why_unusable(image, mask):
                self.skipped.append(f"{frames.name}/{image.name}: {reason}")
            else:
                kept.append((image, mask))
        if unlabelled:
            self.skipped.append(f"{frames.name}: {unlabelled} frames without a mask")
        return VideoSequence(frames.name, tuple(i for i, _ in kept), tuple(m for _, m in kept))


def read_mask(path: Path) -> np.ndarray:
    """Object ids of an indexed or grey PNG, uint8 (H, W).

    The value 255 is the object where it is the only one (DAVIS-2016 as first published), else background.

    Raises:
        OSError, ValueError: the file is damaged, or its pixels are colours instead of ids.
    """
    with Image.open(path) as picture:
        if picture.mode not in ("P", "L", "1"):
            raise ValueError(f"mask of mode {picture.mode}, expected indexed (P) or 8-bit grey (L)")
        mask = np.array(picture, dtype=np.uint8)
    if mask.max(initial=0) == 255:
        void = mask == 255
        mask[void] = 0 if mask[~void].any() else 1
    return mask


def _why_unusable(image: Path, mask: Path) -> str | None:
    """Reads the photo's header and the mask; damage inside the photo only shows when it is decoded later."""
    if not mask.is_file():
        return f"no mask {mask.name}"
    try:
        with Image.open(image) as picture:
            width, height = picture.size
    except (OSError, ValueError) as error:
        return f"unreadable image ({error})"
    try:
        found = read_mask(mask).shape
    except (OSError, ValueError) as error:
        return f"unreadable mask ({error})"
    if found != (height, width):
        return f"mask is {found[0]}x{found[1]} but the image is {height}x{width}"
    return None


def _images_in(folder: Path, reason: str) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; {reason}")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)


def split_names(root: Path, split: str | None, frames_root: Path) -> list[str]:
    """The videos of a split, in its order; None or "all" takes every folder in ``frames_root``.

    Raises:
        DataError: there is no such list; names those that are there.
    """
    if split is None or split == "all":
        return sorted(path.name for path in frames_root.iterdir() if path.is_dir())
    listing = root / "ImageSets" / f"{split}.txt"
    if not listing.is_file():
        folder = root / "ImageSets"
        there = sorted(str(p.relative_to(folder).with_suffix("")) for p in folder.rglob("*.txt"))
        every = "ImageSets has no .txt file; the split 'all' takes every video"
        choice = f"choose one of {', '.join(there)}" if there else every
        raise DataError(f"no split '{split}': {listing} does not exist; {choice}")
    names = []
    for line in listing.read_text().splitlines():
        words = line.split()
        if words:  # a line is a name, or (DAVIS-2016) the paths of one frame and its mask
            names.append(Path(words[0]).parent.name if "/" in words[0] else words[0])
    return list(dict.fromkeys(names))


def _refuse_empty_masks(folder: Path, names: list[str]) -> None:
    if names:
        shown = ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
        raise DataError(
            f"{len(names)} of the masks in {folder} have no object, only 0 (background): {shown}; "
            "label at least one object with an id from 1, or take these out of the data set"
        )


def _nothing_usable(what: str, root: Path, skipped: list[str]) -> str:
    first = f"; {len(skipped)} were skipped, first {skipped[0]}" if skipped else ""
    return f"no usable {what} in {root}{first}: a data set needs at least one"
