"""MOTS as pictures: instances/000000.png of 16 bits, whose pixels are class * 1000 + instance, and labels.txt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.core.errors import MaskError
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence, time_of
from limpet.exchange.mots import IGNORED, INSTANCES, ids_of_mots, mots_numbers
from limpet.exchange.options import ConversionOptions
from limpet.exchange.segmentation import UNNAMED
from limpet.exchange.untrusted import check_counts, check_frame_size, open_picture, read_text

_HIGHEST = np.iinfo(np.uint16).max


def write(sequence: MaskSequence, out: Path, options: ConversionOptions) -> None:
    """Write the pictures into ``out``, frame by frame."""
    numbers = mots_numbers(sequence, int(_HIGHEST) // INSTANCES - 1)
    table = np.zeros(max(sequence.names, default=0) + 1, np.uint16)
    table[list(numbers.of_object)] = list(numbers.of_object.values())
    folder = out / "instances"
    folder.mkdir()
    named = {number: name for name, number in numbers.classes.items()}
    classes = ["background", *(named.get(k, "ignore") for k in range(1, max(named, default=0) + 1))]
    (folder / "labels.txt").write_text("\n".join(" ".join(name.split()) for name in classes) + "\n", "utf-8")
    for frame in sequence:
        Image.fromarray(table[frame.labels]).save(folder / f"{frame.index:06d}.png", compress_level=3)


def read(path: Path, choice: str | None = None) -> MaskSequence:
    """The pictures of a folder ``instances``, or of the folder that holds it. Raises MaskError."""
    folder = path / "instances" if (path / "instances").is_dir() else path
    paths = {
        int(p.stem): p
        for p in folder.glob("*.png")
        if p.stem.isascii() and p.stem.isdecimal() and len(p.stem) < 9
    }
    if not paths:
        raise MaskError(f"{folder} holds no pictures with numbers for names, such as 000000.png")
    paths = dict(sorted(paths.items()))
    first = next(iter(paths.values()))
    size = check_frame_size(_values(first).shape[0], _values(first).shape[1], str(folder))
    numbers: set[int] = set()
    for each in paths.values():
        values = _values(each)
        if values.shape != size:
            raise MaskError(f"{each} has another size than {first}")
        numbers.update(np.unique(values).tolist())
    ignored = IGNORED in numbers
    ids = ids_of_mots(numbers - {0, IGNORED})
    check_counts(len(ids), len(paths), str(folder))
    table: NDArray[np.uint16] = np.zeros(int(_HIGHEST) + 1, np.uint16)
    table[list(ids)] = list(ids.values())
    labels = folder / "labels.txt"
    classes = read_text(labels, 1 << 22).splitlines() if labels.is_file() else []

    def frames() -> Iterator[MaskFrame]:
        for index, picture in paths.items():
            yield MaskFrame(index, time_of(index, None), table[_values(picture)])

    def name_of_class(number: int) -> str:
        name = classes[number].strip() if number < len(classes) else ""
        return "" if name == UNNAMED else name

    names = {i: name_of_class(number // INSTANCES) for number, i in ids.items()}
    names = dict(sorted(names.items()))
    sequence = MaskSequence(path.resolve().name, size, names, frames, max(paths) + 1, timed=False)
    if ignored:
        sequence.note("regions to ignore (10000) were left out")
    return sequence


def _values(path: Path) -> NDArray[np.uint16]:
    pixels = open_picture(path, str(path), ("I;16", "I;16B", "I", "L"))
    if pixels.size and not 0 <= int(pixels.min()) <= int(pixels.max()) <= _HIGHEST:
        raise MaskError(f"{path} has values beyond 16 bits")
    return pixels.astype(np.uint16)
