"""The journal of a run: facts appended line by line; a process killed at any moment loses at most the last line.

A line is the CRC-32 of its text in eight hex digits, a space, and the text: JSON, an object with one key, the kind.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from limpet.core.errors import Option, OutputError
from limpet.core.files import output_error
from limpet.core.json_text import finite_number, parse_json, whole_number
from limpet.core.limits import limits
from limpet.core.masks import MAX_ID
from limpet.video.encode import EncodedExtent
from limpet.video.video_reader import ReadFailure

ROW = "row"
"""Kind of the lines that hold a FrameRecord."""
_MOST = 1 << 53
"""Larger whole numbers are not exact in JSON."""


@dataclass(frozen=True)
class Line:
    """kind and facts: as given to ``append``. end: bytes of the file up to the end of this line."""

    kind: str
    facts: dict[str, Any]
    end: int


class Journal:
    """A file that only grows. Every line has been handed to the operating system when ``append`` returns.

    That survives the end of the process, but not a loss of power. Incomplete lines are detected by their check sums.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, kind: str, facts: Mapping[str, Any]) -> int:
        """Add a line of plain data.

        Returns:
            Where it begins, in bytes from the start of the file.

        Raises:
            OutputError: it cannot be written; then nothing of it is left in the file.
        """
        line = line_of(kind, facts)
        try:
            with self.path.open("ab", buffering=0) as file:
                before = file.tell()
                if file.write(line) != len(line):
                    os.truncate(self.path, before)
                    raise OSError(errno.ENOSPC, "No space left on device")
                return before
        except OSError as error:
            raise output_error(error, self.path) from error

    def read(self) -> list[Line]:
        """All complete lines. An incomplete last line was being written when the process ended, and is left out.

        Raises:
            OutputError: any other line is damaged, or the file cannot be read.
        """
        return list(self.lines())

    def lines(self) -> Iterator[Line]:
        """As ``read``, one line in memory at a time."""
        end = 0
        damaged: int | None = None
        try:
            with self.path.open("rb") as file:
                for number, raw in enumerate(file, start=1):
                    if damaged is not None:
                        raise OutputError(
                            f"line {damaged} of {self.path} is damaged: its check sum does not match; pass ",
                            Option("overwrite"),
                            " to start again from the first frame",
                        )
                    end += len(raw)
                    line = _parse(raw, end)
                    if line is None:
                        damaged = number
                    else:
                        yield line
        except FileNotFoundError:
            return
        except OSError as error:
            raise OutputError(f"cannot read {self.path}: {error.strerror}") from error

    def line_at(self, begin: int) -> Line:
        """The line that begins at a byte. Raises OutputError."""
        try:
            with self.path.open("rb") as file:
                file.seek(begin)
                raw = file.readline()
        except OSError as error:
            raise OutputError(f"cannot read {self.path}: {error.strerror}") from error
        line = _parse(raw, begin + len(raw))
        if line is None:
            raise OutputError(f"{self.path} was changed by another program at byte {begin}")
        return line

    def cut(self, end: int) -> None:
        """Remove what follows the first ``end`` bytes. Raises OutputError."""
        try:
            if self.path.exists():
                os.truncate(self.path, end)
        except OSError as error:
            raise output_error(error, self.path) from error


def line_of(kind: str, facts: Mapping[str, Any]) -> bytes:
    """The line that ``append`` adds."""
    text = json.dumps({kind: facts}, separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parse(raw: bytes, end: int) -> Line | None:
    check, _, text = raw.rstrip(b"\n").partition(b" ")
    if not raw.endswith(b"\n") or check != b"%08x" % zlib.crc32(text):
        return None
    try:
        ((kind, facts),) = parse_json(text).items()
    except (AttributeError, ValueError):
        return None
    return Line(kind, facts, end) if isinstance(facts, dict) else None


@dataclass(frozen=True)
class FrameRecord:
    """One frame whose results are written: all that is needed to resume without processing it again.

    index, time, decoded: of the frame, time in seconds.
    areas: pixels of each visible object. confidence: 0..1 of each object.
    mask_crc32: of the bytes of its PNG.
    still: JPEG of the frame with overlay, if the report keeps it.
    overlay: how much of the overlay video is in closed segments after this frame; None without overlay.
    failures, notices: those that were reported with this frame.
    """

    index: int
    time: float
    decoded: bool
    areas: Mapping[int, int]
    confidence: Mapping[int, float]
    mask_crc32: int
    still: bytes | None
    overlay: EncodedExtent | None
    failures: tuple[ReadFailure, ...]
    notices: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """As plain data. JSON keeps every float exactly."""
        return asdict(self) | {"still": self.still and base64.b64encode(self.still).decode("ascii")}

    @staticmethod
    def from_dict(facts: Mapping[str, Any]) -> FrameRecord:
        """From what ``as_dict`` gave, after JSON has made strings of all keys.

        Raises:
            ValueError: it is something else; the message says what.
        """
        try:
            overlay = facts["overlay"]
            return FrameRecord(
                whole_number(facts["index"], "index", 0, limits().frames),
                finite_number(facts["time"], "time", -_MOST, _MOST),
                bool(facts["decoded"]),
                {_id(key): whole_number(area, "an area", 0, _MOST) for key, area in facts["areas"].items()},
                {_id(key): finite_number(v, "a confidence", 0, 1) for key, v in facts["confidence"].items()},
                whole_number(facts["mask_crc32"], "mask_crc32", 0, 0xFFFF_FFFF),
                base64.b64decode(facts["still"], validate=True) if facts["still"] else None,
                None if overlay is None else _extent(overlay),
                tuple(ReadFailure.from_dict(failure) for failure in facts["failures"]),
                tuple(str(notice) for notice in facts["notices"]),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"a frame is not as a run writes it ({error!r})") from error


def _id(key: str) -> int:
    return whole_number(int(key), "an object's id", 1, MAX_ID)


def _extent(facts: Mapping[str, Any]) -> EncodedExtent:
    return EncodedExtent(**{name: whole_number(value, name, -1, _MOST) for name, value in facts.items()})
