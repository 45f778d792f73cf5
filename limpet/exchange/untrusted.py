"""Reading what others made: limits that are checked before memory is taken, and names that stay in their folder."""

from __future__ import annotations

import json
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.core.errors import MaskError

MAX_JSON = 1 << 30
"""Bytes of a JSON file; it is read whole, and takes some times as much memory."""
MAX_MEMBER = 1 << 30
"""Bytes of one file of a zip, unpacked."""
MAX_MEMBERS = 1_000_000
MAX_SIDE = 32_768
MAX_PIXELS = 1 << 27
"""Pixels of a frame: 8K has a quarter of it."""
MAX_FRAMES = 10_000_000
MAX_OBJECTS = 65_535
_MAX_NAME = 60
_UNEXPECTED = (
    *(
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        NotImplementedError,
        OSError,
        TypeError,
        ValueError,
    ),
    *(zipfile.BadZipFile, zlib.error),
)
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def read_text(path: Path, limit: int = MAX_JSON) -> str:
    """The text of a file in UTF-8. Raises MaskError if it is not, cannot be read, or has more than ``limit`` bytes."""
    try:
        nbytes = path.stat().st_size
        if nbytes > limit:
            raise MaskError(
                f"{path} has {nbytes} bytes; at most {limit} are read, so split it into smaller files"
            )
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise MaskError(f"{path} does not exist") from error
    except OSError as error:
        raise MaskError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MaskError(f"{path} is not text in UTF-8; expected a file of annotations") from error


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises MaskError if it is too large, too deep or not JSON."""
    return parse_json(read_text(path), str(path))


def parse_json(text: str | bytes, where: str) -> Any:
    """The content of JSON text. Raises MaskError that begins with ``where``."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise MaskError(f"{where} is nested too deeply to be a file of annotations") from error
    except ValueError as error:
        raise MaskError(f"{where} is not valid JSON ({error}); export or copy it again") from error


def check_frame_size(height: object, width: object, where: str) -> tuple[int, int]:
    """(H, W) of frames that a file states. Raises MaskError unless both are whole numbers of a usual size."""
    sides = (whole_number(height, f"the height in {where}"), whole_number(width, f"the width in {where}"))
    if min(sides) < 1 or max(sides) > MAX_SIDE or sides[0] * sides[1] > MAX_PIXELS:
        raise MaskError(
            f"{where} has frames of {sides[0]}x{sides[1]}; expected sides of 1 to {MAX_SIDE} "
            f"pixels and at most {MAX_PIXELS} in all"
        )
    return sides


def whole_number(value: object, what: str, highest: int = 1 << 53) -> int:
    """``value`` as an int. Raises MaskError, which begins with ``what``, unless it is whole and 0 to ``highest``."""
    try:
        number = int(value)  # type: ignore[call-overload]
        exact = float(value) == number  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        exact = False
    if not exact or not 0 <= number <= highest:
        raise MaskError(f"{what} is {str(value)[:40]!r}; expected a whole number of 0 to {highest}")
    return int(number)


def object_number(value: object, where: str) -> int:
    """An object's id in a file, 1 to 65535. Raises MaskError."""
    number = whole_number(value, f"an object's id in {where}", MAX_OBJECTS)
    if number == 0:
        raise MaskError(f"{where} has an object with the id 0, which is background; number objects from 1 on")
    return number


def check_counts(objects: int, frames: int, where: str) -> None:
    """Raises MaskError if a file has more objects or frames than can be."""
    for count, limit, what in ((objects, MAX_OBJECTS, "objects"), (frames, MAX_FRAMES, "frames")):
        if count > limit:
            raise MaskError(f"{where} has {count} {what}; at most {limit} are read")


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Errors that only files of an unexpected content cause become a MaskError.

    What readers expect to be wrong they say themselves; this is for all that nobody thought of.
    """
    try:
        yield
    except _UNEXPECTED as error:
        raise MaskError(
            f"{path} is damaged, or of another form than expected ({type(error).__name__}: {str(error)[:100]})"
        ) from error


def open_zip(path: Path) -> zipfile.ZipFile:
    """A zip file to read members of. Nothing is ever unpacked into a folder.

    Raises:
        MaskError: it is damaged, has too many members, or the name of one leads out of its folder.
    """
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise MaskError(f"{path} does not exist") from error
    except (OSError, zipfile.BadZipFile) as error:
        raise MaskError(f"{path} is not a readable zip file ({error}); export or copy it again") from error
    try:
        if len(archive.infolist()) > MAX_MEMBERS:
            raise MaskError(f"{path} has {len(archive.infolist())} files; at most {MAX_MEMBERS} are read")
        for name in archive.namelist():
            parts = PurePosixPath(name.replace("\\", "/")).parts
            if name.startswith(("/", "\\")) or ".." in parts or ":" in (parts[0] if parts else ""):
                raise MaskError(
                    f"{path} has a file named {name!r}, which leads out of its folder; do not use this zip"
                )
    except MaskError:
        archive.close()
        raise
    return archive


def read_member(archive: zipfile.ZipFile, name: str, limit: int = MAX_MEMBER) -> bytes:
    """One file of a zip. Raises MaskError if it is missing, damaged, encrypted or larger than ``limit`` bytes."""
    where = f"{name} in {Path(archive.filename or 'the zip').name}"
    try:
        info = archive.getinfo(name)
        if info.file_size > limit:
            raise MaskError(f"{where} has {info.file_size} bytes; at most {limit} are read")
        with archive.open(info) as file:
            data = file.read(limit + 1)  # the size that is stated may be wrong
    except KeyError as error:
        raise MaskError(f"{where} is missing") from error
    except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, EOFError) as error:
        raise MaskError(f"{where} cannot be read: {error}") from error
    if len(data) > limit:
        raise MaskError(f"{where} has more than {limit} bytes")
    return data


def open_picture(file: Any, where: str, modes: Iterable[str] = ()) -> NDArray[Any]:
    """The pixels of a picture, whose size is checked before it is decoded.

    Args:
        file: a path or a binary file.
        modes: Pillow's modes that are allowed, by default all.

    Raises:
        MaskError: it cannot be read, is too large, or has another mode.
    """
    try:
        with Image.open(file) as image:
            check_frame_size(image.height, image.width, where)
            if modes and image.mode not in modes:
                raise MaskError(f"{where} is a picture of mode {image.mode}; expected {' or '.join(modes)}")
            return np.array(image)
    except FileNotFoundError as error:
        raise MaskError(f"{where} does not exist") from error
    except (OSError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise MaskError(f"{where} cannot be read as a picture ({error})") from error


def safe_name(text: str, otherwise: str = "object") -> str:
    """A name for a file or folder made from any text: no separators, no leading dots, at most 60 characters.

    >>> safe_name("../../etc/passwd"), safe_name("red cat"), safe_name("  ")
    ('etc-passwd', 'red-cat', 'object')
    """
    plain = unicodedata.normalize("NFC", text)
    plain = re.sub(r"[^\w.-]+", "-", plain).strip("-._ ")[:_MAX_NAME].rstrip("-. ")
    plain = re.sub(r"\.\.+", ".", plain)
    return f"_{plain}" if _RESERVED.fullmatch(plain) else plain or otherwise
