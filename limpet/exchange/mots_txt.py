"""MOTS as text: a line per object and frame, ``frame id class height width rle``, with COCO's compressed RLE."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from limpet.core.errors import MaskError
from limpet.core.files import atomic_path
from limpet.core.limits import limits
from limpet.exchange.coco_rle import compress, decompress, label_counts
from limpet.exchange.label_painter import LabelPainter
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence, time_of
from limpet.exchange.mots import IGNORED, INSTANCES, ids_of_mots, mots_numbers
from limpet.exchange.options import ConversionOptions
from limpet.exchange.spool import MaskSpool
from limpet.exchange.untrusted import check_counts, check_frame_size, whole_number

_LONGEST_LINE = 1 << 26


def write(sequence: MaskSequence, out: Path, options: ConversionOptions) -> None:
    """Write the file, frame by frame. Raises OutputError."""
    numbers = mots_numbers(sequence, limits().objects // INSTANCES)
    height, width = sequence.size
    with atomic_path(out) as temporary, temporary.open("w", encoding="ascii", newline="\n") as file:
        for frame in sequence:
            for i, counts in label_counts(frame.labels).items():
                if i in numbers.of_object:
                    number = numbers.of_object[i]
                    head = f"{frame.index} {number} {number // INSTANCES} {height} {width}"
                    file.write(f"{head} {compress(counts)}\n")
    classes = ", ".join(f"{number} {name}" for name, number in numbers.classes.items())
    sequence.note(f"MOTS text has no names and no times of frames; its classes are: {classes}")


def read(path: Path, choice: str | None = None) -> MaskSequence:
    """The objects of a file; regions to ignore are left out. Raises MaskError if a line is damaged."""
    where = str(path)
    spool = MaskSpool("frame")
    numbers: set[int] = set()
    sizes: set[tuple[int, int]] = set()
    ignored = 0
    try:
        with path.open(encoding="ascii") as file:
            for place in range(1, 1 << 60):
                line = file.readline(_LONGEST_LINE)
                if not line:
                    break
                if not line.strip():
                    continue
                frame, number, size, rle = _fields(line, f"line {place} of {where}")
                sizes.add(size)
                if number == IGNORED:
                    ignored += 1
                    continue
                numbers.add(number)
                spool.put(number, frame, rle)
    except (OSError, UnicodeDecodeError) as error:
        raise MaskError(f"{where} cannot be read as text of MOTS ({error})") from error
    if len(sizes) != 1:
        raise MaskError(f"{where} has frames of {len(sizes)} sizes; expected one")
    (size,) = sizes
    check_counts(len(numbers), spool.last_frame() + 1, where)
    ids = ids_of_mots(numbers)

    def frames() -> Iterator[MaskFrame]:
        painter = LabelPainter(size, max(ids.values(), default=0))
        for index, objects in spool.by_frame():
            for number, rle in objects:
                painter.paint_counts(ids[number], decompress(rle, size[0] * size[1]))
            yield MaskFrame(index, time_of(index, None), painter.finish())
        for notice in painter.notice():
            sequence.note(notice)

    names = dict.fromkeys(sorted(ids.values()), "")
    sequence = MaskSequence(path.stem, size, names, frames, spool.last_frame() + 1, timed=False)
    if ignored:
        sequence.note(f"{ignored} regions to ignore were left out")
    return sequence


def _fields(line: str, where: str) -> tuple[int, int, tuple[int, int], str]:
    parts = line.split()
    if len(parts) != 6 or len(line) >= _LONGEST_LINE:
        raise MaskError(f"{where} is not of the form: frame id class height width rle")
    frame = whole_number(parts[0], f"the frame in {where}", limits().frames)
    number = whole_number(parts[1], f"the id in {where}", limits().objects)
    return frame, number, check_frame_size(parts[3], parts[4], where), parts[5]
