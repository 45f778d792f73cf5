"""Folders in DAVIS layout: which sequences a split names, their frames, their masks, and whose ids count.

    ROOT/JPEGImages/RESOLUTION/SEQUENCE/*.jpg
    ROOT/Annotations/RESOLUTION/SEQUENCE/*.png      (480p stands in when RESOLUTION has no annotations)
    ROOT/ImageSets/**/SPLIT.txt                     one sequence a line, or DAVIS-2016's pairs of paths

All ids above 0 are one object where the DAVIS-2016 protocol is asked for: by a split under ImageSets/2016, or
by a first mask that holds 255 only, as DAVIS-2016 stores it. Else every id of the first mask is an object,
and 255 is void: ground that counts for nobody.

Shapes: H W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.core.errors import DataError

Ids = NDArray[np.uint8]
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")
EVERYTHING = "all"
VOID = 255


@dataclass(frozen=True)
class Sequence:
    """One clip: ``frames`` and ``annotations`` are equally long and belong together pairwise.

    ``one_object`` asks that all ids above 0 be one object; otherwise the first mask decides.
    """

    name: str
    frames: tuple[Path, ...]
    annotations: tuple[Path, ...]
    one_object: bool = False

    def __len__(self) -> int:
        return len(self.frames)

    def frame(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB. Raises DataError when the image cannot be read."""
        try:
            with Image.open(self.frames[index]) as image:
                return np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(f"cannot read the frame {self.frames[index]}: {error}") from error

    def mask(self, index: int) -> Ids:
        """(H, W) uint8 object ids, as stored."""
        return read_ids(self.annotations[index])

    def thinned(self, stride: int = 1, max_frames: int | None = None) -> Sequence:
        """Every `stride`-th frame, at most `max_frames` of them: a quick look during training."""
        if stride < 1 or (max_frames is not None and max_frames < 3):
            raise DataError(f"stride is {stride} (at least 1), max_frames is {max_frames} (at least 3)")
        part = slice(0, None if max_frames is None else stride * max_frames, stride)
        return Sequence(self.name, self.frames[part], self.annotations[part], self.one_object)


@dataclass(frozen=True)
class Dataset:
    """The sequences of one split, in the order of its list."""

    name: str
    sequences: tuple[Sequence, ...]

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self.sequences)

    def __len__(self) -> int:
        return len(self.sequences)


def read_ids(path: Path) -> Ids:
    """(H, W) uint8 ids of a stored mask, which may well be empty: objects leave the frame.

    Raises:
        DataError: when it is no image, or neither indexed nor grey (grey in three equal channels is read).
    """
    try:
        with Image.open(path) as image:
            pixels, mode = np.array(image), image.mode
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"cannot read the mask {path}: {error}") from error
    if mode in ("RGB", "RGBA") and (pixels[..., :1] == pixels[..., 1:3]).all():
        pixels, mode = pixels[..., 0], "L"
    if mode not in ("P", "L", "1"):
        raise DataError(
            f"the mask {path} is a {mode} image; expected an indexed or grey 8-bit PNG of object ids"
        )
    return pixels.astype(np.uint8)


def load_davis(root: str | Path, split: str, resolution: str = "480p") -> Dataset:
    """Find the sequences of a split and check that all their files are there.

    Args:
        root: the folder that holds JPEGImages and Annotations.
        split: name of a list under ImageSets (``val``, ``2017/val``), ``all`` for every sequence there is, or
            the name of one sequence.
        resolution: the folder below JPEGImages, ``480p`` or ``Full-Resolution``.

    Raises:
        DataError: when the root, the split, a sequence or annotations are missing; the message lists what is.
    """
    root = Path(root)
    images, masks = root / "JPEGImages" / resolution, root / "Annotations" / resolution
    if not images.is_dir():
        raise DataError(f"{root} is not a DAVIS folder: expected {images} and {masks}{_resolutions(root)}")
    if not masks.is_dir():
        masks = root / "Annotations" / "480p"
    there = sorted(path.name for path in images.iterdir() if path.is_dir())
    listed = _find_split(root, split, resolution, there)
    one_object = listed is not None and listed.parent.name == "2016"
    names = _names_in(listed) if listed else [name for name in there if split in (name, EVERYTHING)]
    if not names:
        raise DataError(f"{listed or images} names no sequence")
    found = tuple(_load_sequence(name, images / name, masks / name, one_object) for name in names)
    return Dataset(split, found)


def _find_split(root: Path, split: str, resolution: str, sequences: list[str]) -> Path | None:
    """The list of the split; None for all sequences or a single one."""
    sets = root / "ImageSets"
    lists = {path.relative_to(sets).with_suffix("").as_posix(): path for path in sorted(sets.rglob("*.txt"))}
    wanted = split.removesuffix(".txt")
    for name in (wanted, f"{resolution}/{wanted}"):  # DAVIS-2016 keeps one list for each resolution
        if name in lists:
            return lists[name]
    ends = [name for name in lists if name.endswith(f"/{wanted}")]
    if len(ends) == 1:
        return lists[ends[0]]
    if ends:
        raise DataError(f"'{split}' is one of several splits in {sets}: choose one of {', '.join(ends)}")
    if split in (EVERYTHING, *sequences):
        return None
    known = ", ".join([*lists, EVERYTHING])
    raise DataError(
        f"there is no split '{split}' in {sets}; the splits there are: {known}; "
        f"the name of one sequence will do as well"
    )


def _names_in(path: Path) -> list[str]:
    """Sequence names, each once; a line of paths (DAVIS-2016) names the folder of its first file."""
    names: dict[str, None] = {}
    for line in path.read_text(encoding="utf-8").split("\n"):
        words = line.split()
        if words:
            names[Path(words[0]).parent.name if "/" in words[0] else words[0]] = None
    return list(names)


def _load_sequence(name: str, images: Path, masks: Path, one_object: bool) -> Sequence:
    if not images.is_dir():
        raise DataError(f"sequence '{name}' is listed, but has no frames: {images} does not exist")
    if not masks.is_dir():
        raise DataError(f"sequence '{name}' has no annotations: {masks} does not exist")
    frames = tuple(sorted(path for path in images.iterdir() if path.suffix.lower() in IMAGE_ENDINGS))
    if len(frames) < 3:
        raise DataError(
            f"sequence '{name}' has {len(frames)} frames in {images}; "
            f"at least 3 are needed, since the first and the last are not scored"
        )
    annotations = tuple(masks / f"{path.stem}.png" for path in frames)
    require_files(annotations, f"sequence '{name}' lacks the annotations of")
    return Sequence(name, frames, annotations, one_object)


def require_files(paths: tuple[Path, ...], complaint: str) -> None:
    """Raise a DataError that counts the missing files and names the first ones."""
    missing = [path for path in paths if not path.is_file()]
    if missing:
        shown = ", ".join(path.name for path in missing[:5]) + (", …" if len(missing) > 5 else "")
        raise DataError(f"{complaint} {len(missing)} of {len(paths)} frames in {paths[0].parent}: {shown}")


def _resolutions(root: Path) -> str:
    there = sorted(path.name for path in root.glob("JPEGImages/*") if path.is_dir())
    return f"; resolutions there: {', '.join(there)}" if there else ""
