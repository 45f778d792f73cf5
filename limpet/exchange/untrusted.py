"""Reading what others made: limits that are checked before memory is taken, and names that stay in their folder."""

from __future__ import annotations

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

from limpet.core import json_text
from limpet.core.errors import MaskError
from limpet.core.limits import frame_sizes, is_frame_size, limits, variable_of
from limpet.core.picture_files import open_image

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


def read_text(path: Path, limit: int | None = None) -> str:
    """The text of a file in UTF-8.

    Args:
        limit: bytes that are read at most; None takes ``ReadLimits.json_bytes``.

    Raises:
        MaskError: it is not text, cannot be read, or is larger.
    """
    limit = limits().json_bytes if limit is None else limit
    try:
        nbytes = path.stat().st_size
        if nbytes > limit:
            raise MaskError(
                f"{path} has {nbytes} bytes; at most {limit} are read, so split it into smaller files, or raise the "
                f"limit with {variable_of('json_bytes')}"
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
        return json_text.parse_json(text, limits().json_bytes)
    except ValueError as error:
        raise MaskError(f"{where} is not valid JSON ({error}); export or copy it again") from error


def check_frame_size(height: object, width: object, where: str) -> tuple[int, int]:
    """(H, W) of frames that a file states. Raises MaskError unless both are whole numbers of a usual size."""
    sides = (whole_number(height, f"the height in {where}"), whole_number(width, f"the width in {where}"))
    if not is_frame_size(*sides):
        raise MaskError(f"{where} has frames of {sides[0]}x{sides[1]}; expected {frame_sizes()}")
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
    number = whole_number(value, f"an object's id in {where}", limits().objects)
    if number == 0:
        raise MaskError(f"{where} has an object with the id 0, which is background; number objects from 1 on")
    return number


def check_counts(objects: int, frames: int, where: str) -> None:
    """Raises MaskError if a file has more objects or frames than can be."""
    for count, limit, what in ((objects, limits().objects, "objects"), (frames, limits().frames, "frames")):
        if count > limit:
            raise MaskError(
                f"{where} has {count} {what}; at most {limit} are read ({variable_of(what)} raises this limit)"
            )


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
        if len(archive.infolist()) > (most := limits().members):
            raise MaskError(
                f"{path} has {len(archive.infolist())} files; at most {most} are read ({variable_of('members')} raises "
                "this limit)"
            )
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


def read_member(archive: zipfile.ZipFile, name: str, limit: int | None = None) -> bytes:
    """One file of a zip.

    Args:
        limit: bytes that are unpacked at most; None takes ``ReadLimits.member_bytes``.

    Raises:
        MaskError: it is missing, damaged, encrypted or larger.
    """
    limit = limits().member_bytes if limit is None else limit
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
        with open_image(file) as image:
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
