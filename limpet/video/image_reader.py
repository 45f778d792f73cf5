"""Reads folders of images and numbered patterns as a video."""

from __future__ import annotations

import glob
import re
from collections.abc import Generator, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from limpet.core.errors import VideoError
from limpet.core.picture_files import open_image
from limpet.video.video_reader import ASSUMED_RATE, FailureKind, Frame, ReadFailure, VideoReader

IMAGE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff"),
        *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".tga", ".avif"),
    )
)
_ORIENTATION_TAG = 0x0112
_SIXTEEN_BITS = {".png", ".tif", ".tiff", ".pgm"}
_NEARLY_BLACK = 1 << 12
_SIDEWAYS = {5, 6, 7, 8}  # EXIF orientations that swap height and width
_UNREADABLE = (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError)


class ImageReader(VideoReader):
    """Images of one size as the frames of a video, at 24 frames per second since images state no rate.

    EXIF orientation is applied. All sizes are compared on opening, from the headers of the files.

    Raises:
        VideoError: no image can be read, or the sizes differ (names the file).
    """

    def __init__(self, path: Path, images: list[Path]) -> None:
        super().__init__(path)
        self._images = images
        self._noted_dark = False
        self.frame_count = len(images)
        self.size = _common_size(path, images)

    def _frames(self) -> Generator[Frame, None, None]:
        return self._frames_from(0)

    def _frames_from(self, index: int) -> Generator[Frame, None, None]:
        for k in range(index, len(self._images)):
            yield Frame(k, self._read(k, self._images[k]), float(k / ASSUMED_RATE))

    def known_length(self) -> int:
        return len(self._images)

    def _read(self, index: int, path: Path) -> NDArray[np.uint8] | None:
        try:
            image = read_image(path)
        except _UNREADABLE as error:
            detail = f"could not be read: {_reason(error)}"
            self.failures.append(ReadFailure(FailureKind.UNREADABLE, index, detail, f"({path.name})"))
            return None
        self._note_dark(path)
        if image.shape[:2] != self.size:
            raise _size_error(path, image.shape[:2], self.size, self._images[0])
        return image

    def _note_dark(self, path: Path) -> None:
        """Notes the first picture of 16 bits whose values end below a sixteenth of the range."""
        if self._noted_dark or path.suffix.lower() not in _SIXTEEN_BITS:
            return
        with open_image(path) as image:
            if not image.mode.startswith("I"):
                self._noted_dark = True  # one look is enough where the first one has 8 bits
                return
            highest = int(np.asarray(image).max(initial=0))
        if 255 < highest < _NEARLY_BLACK:
            self._noted_dark = True
            self.notices.append(
                f"{path.name} has 16 bits, but its values end at {highest}, so that it is nearly black; scale them to "
                "0 to 65535 (values of 12 bits by 16)"
            )


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as uint8 (H, W, 3) RGB, rotated by its EXIF orientation; transparency is dropped.

    16-bit greyscale keeps its upper eight bits.

    Raises:
        OSError, ValueError: it cannot be decoded.
    """
    with open_image(path) as image:
        shown = ImageOps.exif_transpose(image)
        if shown.mode.startswith("I"):  # Pillow would clip 16 bits at 255 instead of scaling them
            grey = np.clip(np.asarray(shown) >> 8, 0, 255).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        return np.array(shown.convert("RGB"))


def folder_images(folder: Path) -> list[Path]:
    """The images of ``folder`` in natural order (frame2 before frame10); hidden files are left out.

    Raises:
        VideoError: there is none, or the same frame exists in two formats.
    """
    images = [
        path
        for path in folder.iterdir()
        # A link that leads nowhere is a frame that cannot be read: without it all later ones would be one off.
        if path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and (path.is_file() or _leads_nowhere(path))
    ]
    if not images:
        raise VideoError(
            f"the folder {folder} contains no images (looked for {', '.join(sorted(IMAGE_SUFFIXES))})"
        )
    _refuse_twins(folder, images)
    return natural_sort(images)


def pattern_images(pattern: Path) -> list[Path]:
    """The images that match ``pattern``: ``%05d`` in the name, or a glob. Gaps in the numbers are allowed.

    Raises:
        VideoError: nothing matches.
    """
    if "%" in pattern.name:
        images = _numbered(pattern)
    else:
        matches = glob.glob(str(pattern))  # noqa: PTH207 - Path.glob takes no absolute pattern
        images = natural_sort(p for p in map(Path, matches) if p.is_file() or _leads_nowhere(p))
    if not images:
        raise VideoError(
            f"no file matches {pattern}; check the folder, the digits (%05d is 00000) and the suffix"
        )
    return images


def _leads_nowhere(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def natural_sort(paths: Iterable[Path]) -> list[Path]:
    """Sort by name with numbers by their value."""

    def key(path: Path) -> tuple[list[tuple[int, int, str]], str]:
        parts = re.split(r"([0-9]+)", path.name)
        return [(1, int(part), "") if part.isdigit() else (0, 0, part.lower()) for part in parts], path.name

    return sorted(paths, key=key)


def _numbered(pattern: Path) -> list[Path]:
    places = re.findall(r"%(?:0(\d+))?d", pattern.name)
    if len(places) != 1 or not pattern.parent.is_dir():
        raise VideoError(
            f"cannot use the pattern {pattern}: expected one number such as %05d in the file name, "
            "and a folder that exists"
        )
    before, after = re.split(r"%(?:0\d+)?d", pattern.name)
    digits = int(places[0] or 1)
    number = re.compile(re.escape(before.replace("%%", "%")) + r"(\d+)" + re.escape(after.replace("%%", "%")))
    found = {}
    for path in pattern.parent.iterdir():
        match = number.fullmatch(path.name)
        # printf pads up to the width and never cuts: %03d gives 007 and 1234, but not 07 or 0007
        if match and match[1] == f"{int(match[1]):0{digits}d}":
            found[int(match[1])] = path
    return [found[key] for key in sorted(found)]


def _refuse_twins(folder: Path, images: list[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in natural_sort(images):
        twin = seen.setdefault(path.stem, path)
        if twin is not path:
            raise VideoError(
                f"{folder} contains {twin.name} and {path.name}: the same frame twice; "
                f"choose one kind with a pattern, for instance {folder / ('*' + path.suffix)}"
            )


def _common_size(path: Path, images: list[Path]) -> tuple[int, int]:
    first: tuple[Path, tuple[int, int]] | None = None
    for image in images:
        size = _shown_size(image)
        if size is None:  # damaged: reported when it is read
            continue
        if first is None:
            first = (image, size)
        elif size != first[1]:
            raise _size_error(image, size, first[1], first[0])
    if first is None:
        raise VideoError(
            f"none of the {len(images)} images of {path} can be read: {_why_unreadable(images[0])}"
        )
    return first[1]


def _shown_size(path: Path) -> tuple[int, int] | None:
    try:
        with open_image(path) as image:
            width, height = image.size
            # getexif decodes a whole PNG to find EXIF data at its end; ask only where the header has some
            turned = image.format in ("JPEG", "MPO", "TIFF") or "exif" in image.info
            sideways = turned and image.getexif().get(_ORIENTATION_TAG) in _SIDEWAYS
    except _UNREADABLE:
        return None
    return (width, height) if sideways else (height, width)


def _why_unreadable(path: Path) -> str:
    try:
        with open_image(path):
            return f"{path.name} changed meanwhile"
    except _UNREADABLE as error:
        return f"{path.name}: {_reason(error)}"


def _size_error(path: Path, size: tuple[int, ...], expected: tuple[int, int], first: Path) -> VideoError:
    return VideoError(
        f"{path.name} is {size[0]}x{size[1]} but {first.name} is {expected[0]}x{expected[1]} "
        "(height x width); all images must have one size: resize or remove it"
    )


def _reason(error: BaseException) -> str:
    return str(error).split("\n")[0] or type(error).__name__
