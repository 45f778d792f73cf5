"""How much of a video file is missing, by what its container says of its own length. Nothing is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
_MOST_BOXES = 100_000


def missing_bytes(path: Path) -> int | None:
    """How many bytes the container states beyond the end of the file.

    Returns:
        0 where the file is whole, None where its container does not say how long it is.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[4:8] in _BOXES:
            end = _end_of_boxes(file, size)
        elif head[:4] == b"RIFF":
            end = 8 + int.from_bytes(head[4:8], "little")
        elif int.from_bytes(head[:4], "big") == _EBML:
            end = _end_of_segment(file)
        else:
            end = None
    return None if end is None else max(0, end - size)


def _end_of_boxes(file: BinaryIO, size: int) -> int | None:
    """Where the last box of an MP4 or MOV file ends (ISO/IEC 14496-12, 4.2)."""
    place = 0
    for _ in range(_MOST_BOXES):
        file.seek(place)
        head = file.read(16)
        if len(head) < 8:
            return place
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length == 0:  # to the end of the file
            return size
        if length < 8:
            return None
        place += length
        if place > size:
            return place
    return None


def _end_of_segment(file: BinaryIO) -> int | None:
    """Where the segment of a Matroska or WebM file ends (RFC 8794); None where its length was not known."""
    file.seek(4)
    header = _number(file)
    if header is None:
        return None
    file.seek(header, 1)
    if int.from_bytes(file.read(4), "big") != _SEGMENT:
        return None
    length = _number(file)
    return None if length is None else file.tell() + length


def _number(file: BinaryIO) -> int | None:
    """A length of variable size; None where it is unknown (all ones) or not there."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    rest = file.read(more)
    value = int.from_bytes(bytes([first[0] & (0x7F >> more)]) + rest, "big")
    return None if len(rest) < more or value == (1 << (7 * (more + 1))) - 1 else value
