"""CVAT segmentation mask 1.1: a zip in the layout of Pascal VOC, a picture of classes and one of objects per frame.

The colours of objects are those of the DAVIS palette, as in VOC, so that an id is a colour. CVAT numbers the objects of
each frame again when it exports, so that identity is lost there; a zip that limpet made says so in its comment.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.core.errors import MaskError
from limpet.core.files import atomic_path
from limpet.core.masks import MAX_ID, davis_palette
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence, time_of
from limpet.exchange.options import ConversionOptions
from limpet.exchange.segmentation import UNNAMED
from limpet.exchange.untrusted import check_counts, open_picture, open_zip, read_member

_OURS = b"limpet"
_LISTED = "ImageSets/Segmentation/"


def write(sequence: MaskSequence, out: Path, options: ConversionOptions) -> None:
    """Write the zip, frame by frame.

    Raises:
        OutputError: it cannot be written. MaskError: there are more than 255 objects, which have no colours.
    """
    highest = max(sequence.names, default=0)
    names = {i: _label(name) for i, name in sequence.names.items()}
    classes = {name: k for k, name in enumerate(dict.fromkeys(names.values()), start=1)}
    if highest > MAX_ID or len(classes) > MAX_ID:
        raise MaskError(
            f"object {highest} has no colour in this format, which has {MAX_ID}; use cvat-video instead"
        )
    of_object = np.zeros(256, np.uint8)
    of_object[list(names)] = [classes[name] for name in names.values()]
    frames = []
    with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = _OURS
        for frame in sequence:
            frames.append(f"frame_{frame.index:06d}")
            for folder, values in (("Object", frame.labels), ("Class", of_object[frame.labels])):
                archive.writestr(f"Segmentation{folder}/{frames[-1]}.png", _picture(davis_palette()[values]))
        lines = ["# label:color_rgb:parts:actions", "background:0,0,0::"]
        lines += [f"{name}:{','.join(map(str, davis_palette()[k]))}::" for name, k in classes.items()]
        archive.writestr("labelmap.txt", "\n".join(lines) + "\n")
        archive.writestr(f"{_LISTED}default.txt", "\n".join(frames) + "\n")


def read(path: Path, choice: str | None = None) -> MaskSequence:
    """The objects of each listed picture. Raises MaskError if the zip is damaged."""
    with open_zip(path) as archive:
        where = str(path)
        base = _base(archive, where)
        colours = _classes(read_member(archive, f"{base}labelmap.txt", 1 << 22), where)
        frames = _frames(archive, base, where)
        ours = archive.comment == _OURS
        first = next(iter(frames.values()))
        size = _values(archive, base, "Object", first).shape
        check_counts(0, len(frames), where)
        names = _names(archive, base, frames, colours)

    def each() -> Iterator[MaskFrame]:
        with open_zip(path) as opened:
            for index, name in sorted(frames.items()):
                labels = _values(opened, base, "Object", name)
                if labels.shape != size:
                    raise MaskError(f"{name} in {where} has another size than {first}")
                yield MaskFrame(index, time_of(index, None), labels)

    sequence = MaskSequence(path.stem, (size[0], size[1]), names, each, max(frames) + 1, timed=False)
    if not ours:
        sequence.numbered = True
        sequence.note(
            "this format numbers the objects of each frame anew: an id may be another object in another frame"
        )
    return sequence


def _label(name: str) -> str:
    """A class in labelmap.txt, whose fields colons separate."""
    return re.sub(r"[:\s]+", " ", name).strip() or UNNAMED


def _picture(colours: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(colours).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _base(archive: zipfile.ZipFile, where: str) -> str:
    found = [name for name in archive.namelist() if name.rpartition("/")[2] == "labelmap.txt"]
    if len(found) != 1:
        raise MaskError(f"{where} has {len(found)} files named labelmap.txt; expected one")
    return found[0].removesuffix("labelmap.txt")


def _classes(data: bytes, where: str) -> dict[tuple[int, ...], str]:
    """Colour -> name of the class."""
    found: dict[tuple[int, ...], str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        name, _, rest = line.partition(":")
        if name and not line.startswith("#"):
            try:
                red, green, blue = (int(part) for part in rest.partition(":")[0].split(","))
            except ValueError as error:
                raise MaskError(
                    f"labelmap.txt in {where} has a line {line[:60]!r}; expected name:red,green,blue::"
                ) from error
            found[red, green, blue] = name
    return found


def _frames(archive: zipfile.ZipFile, base: str, where: str) -> dict[int, str]:
    """Frame -> the name of its pictures. Names that end in numbers are the frames' numbers; others are counted."""
    lists = [name for name in archive.namelist() if name.startswith(base + _LISTED) and name.endswith(".txt")]
    names = [
        line.strip()
        for each in lists
        for line in read_member(archive, each).decode("utf-8", "replace").splitlines()
    ]
    names = sorted(
        {name for name in names if name and f"{base}SegmentationObject/{name}.png" in archive.NameToInfo}
    )
    if not names:
        raise MaskError(
            f"{where} lists no picture in {_LISTED} that is in SegmentationObject; export it again"
        )
    numbers = [int(match[1]) if (match := re.search(r"(\d{1,9})$", name)) else None for name in names]
    if None in numbers or len(set(numbers)) < len(numbers):
        return dict(enumerate(names))
    return {number: name for number, name in zip(numbers, names, strict=True) if number is not None}


def _values(archive: zipfile.ZipFile, base: str, folder: str, name: str) -> NDArray[np.uint8]:
    """The ids of a picture, uint8 (H, W), from its colours or its indices."""
    member = f"{base}Segmentation{folder}/{name}.png"
    pixels = open_picture(io.BytesIO(read_member(archive, member)), member, ("P", "L", "RGB", "RGBA"))
    return pixels.astype(np.uint8) if pixels.ndim == 2 else _from_colours(pixels, member)


def _from_colours(pixels: NDArray[np.uint8], member: str) -> NDArray[np.uint8]:
    red, green, blue = (pixels[..., channel].astype(np.int64) for channel in range(3))
    ids: NDArray[np.int16] = _ids_by_colour()[(red << 16) | (green << 8) | blue]
    if (ids < 0).any():
        row, column = np.argwhere(ids < 0)[0]
        raise MaskError(f"{member} has the colour {pixels[row, column].tolist()}, which is that of no object")
    return ids.astype(np.uint8)


@cache
def _ids_by_colour() -> NDArray[np.int16]:
    table = np.full(1 << 24, -1, np.int16)
    palette = davis_palette().astype(np.int64)
    table[(palette[:, 0] << 16) | (palette[:, 1] << 8) | palette[:, 2]] = np.arange(256)
    return table


def _names(
    archive: zipfile.ZipFile, base: str, frames: dict[int, str], colours: dict[tuple[int, ...], str]
) -> dict[int, str]:
    """The names of the objects, from the class of a pixel of each; reads all pictures once."""
    names: dict[int, str] = {}
    for name in frames.values():
        ids = _values(archive, base, "Object", name)
        new = [i for i in np.unique(ids).tolist() if i and i not in names]
        if not new:
            continue
        member = f"{base}SegmentationClass/{name}.png"
        pixels = open_picture(io.BytesIO(read_member(archive, member)), member, ("P", "RGB", "RGBA"))
        pixels = davis_palette()[pixels] if pixels.ndim == 2 else pixels
        for number in new:
            row, column = np.argwhere(ids == number)[0]
            label = colours.get(tuple(pixels[row, column, :3].tolist()), "")
            names[number] = "" if label == UNNAMED else label
    return dict(sorted(names.items()))
