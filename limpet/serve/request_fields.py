"""The fields of a command's JSON, each checked as it is taken, and masks that come as base64."""

from __future__ import annotations

import base64
import binascii
import io
import re
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from limpet.core.errors import LimpetError
from limpet.core.plain_text import is_plain
from limpet.core.tracker_protocol import Mask

_UNREADABLE = (OSError, Image.DecompressionBombError, SyntaxError, ValueError)
_COLOR = re.compile(r"#[0-9a-f]{6}")
MAX_NAME = 200
T = TypeVar("T")


class RequestError(LimpetError):
    """A request that cannot be answered. status: of HTTP."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Fields:
    """The JSON object of a command.

    Raises:
        RequestError: from every method, for a field that is missing or of another kind.
    """

    def __init__(self, content: Any) -> None:
        if not isinstance(content, dict):
            raise RequestError(f"the request is {_short(content)}; expected a JSON object")
        self._content = content

    def integer(self, name: str) -> int:
        """A whole number."""
        return self._need(name, "a whole number", self.optional_integer(name))

    def optional_integer(self, name: str) -> int | None:
        """A whole number, or None."""
        value = self._content.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 31):
            return value
        raise self._wrong(name, "a whole number")

    def flag(self, name: str) -> bool:
        """True or False; False where it is missing."""
        value = self._content.get(name, False)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def text(self, name: str) -> str:
        """A text."""
        return self._need(name, "a text", self.optional_text(name))

    def optional_text(self, name: str, longest: int = 4096) -> str | None:
        """A text, or None."""
        value = self._content.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > longest):
            raise self._wrong(name, f"a text of at most {longest} characters")
        if value is not None and not is_plain(value):
            raise self._wrong(name, "a text without control characters")
        return value

    def color(self, name: str = "color") -> str | None:
        """A colour such as #1e90ff, or None."""
        value = self._content.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not _COLOR.fullmatch(value.lower()):
            raise self._wrong(name, "a colour such as #1e90ff")
        return value.lower()

    def ids(self, name: str = "objects") -> list[int] | None:
        """Ids of objects, or None."""
        value = self._content.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(_is_id(each) for each in value):
            raise self._wrong(name, "a list of object ids, 1 to 255")
        return value

    def numbers(self, name: str, count: int) -> list[float]:
        """So many finite numbers."""
        value = self._content.get(name)
        if not isinstance(value, list) or len(value) != count or not all(map(_is_number, value)):
            raise self._wrong(name, f"a list of {count} numbers")
        return [float(each) for each in value]

    def clicks(self, name: str = "points", most: int = 100) -> list[tuple[float, float, bool]]:
        """Clicks ``[x, y, 1 or 0]``: on the object, or not on it."""
        value = self._content.get(name)
        if (
            not isinstance(value, list)
            or not 1 <= len(value) <= most
            or not all(
                isinstance(each, list) and len(each) == 3 and all(map(_is_number, each)) for each in value
            )
        ):
            raise self._wrong(name, f"a list of 1 to {most} clicks [x, y, 1 or 0]")
        return [(float(x), float(y), bool(label)) for x, y, label in value]

    def mask(self, name: str, size: tuple[int, int]) -> Mask:
        """A base64 PNG of the frame's size (H, W): uint8 (H, W)."""
        return self._need(name, "a PNG as base64", self.optional_mask(name, size))

    def optional_mask(self, name: str, size: tuple[int, int]) -> Mask | None:
        """A base64 PNG of the frame's size (H, W), or None."""
        text = self._content.get(name)
        if text is None:
            return None
        if not isinstance(text, str):
            raise self._wrong(name, "a PNG as base64")
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise RequestError(
                f"{name} is not base64 ({error}); send the bytes of a PNG as base64"
            ) from error
        return read_png(data, size, name)

    def _need(self, name: str, expected: str, value: T | None) -> T:
        if value is None:
            raise RequestError(f"{name} is missing; expected {expected}")
        return value

    def _wrong(self, name: str, expected: str) -> RequestError:
        return RequestError(f"{name} is {_short(self._content.get(name))}; expected {expected}")


def read_png(data: bytes, size: tuple[int, int], name: str) -> Mask:
    """The values of an indexed or greyscale PNG, uint8 (H, W). Its size is checked before anything is decoded."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if (image.height, image.width) != size:
                raise RequestError(
                    f"{name} is {image.height}x{image.width} but the frame is {size[0]}x{size[1]}; "
                    "send a PNG of the frame's size"
                )
            if image.mode not in ("P", "L", "1"):
                raise RequestError(
                    f"{name} has colours (mode {image.mode}); send an indexed or greyscale 8-bit PNG"
                )
            return np.array(image, dtype=np.uint8)
    except _UNREADABLE as error:
        raise RequestError(f"{name} cannot be read as a PNG ({error}); send an indexed PNG") from error


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 255


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
