"""JSON from files that anybody may have written, within limits of size and depth; and JSON without non-numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from limpet.core.errors import LimpetError
from limpet.core.limits import limits, variable_of

_NO_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
_QUOTED = re.compile(rb'"[^"]*"')


def read_json(path: Path, most: int | None = None) -> Any:
    """The content of a JSON file in UTF-8, of at most ``most`` bytes (``ReadLimits.own_json_bytes``).

    Raises:
        ValueError: as for ``parse_json``, or it is not UTF-8. OSError: it cannot be read.
    """
    return parse_json(read_text(path, most), most)


def read_text(path: Path, most: int | None = None) -> str:
    """The text of a file in UTF-8, of at most ``most`` bytes (``ReadLimits.own_json_bytes``).

    Raises:
        ValueError: it is larger, or not UTF-8; the message says which. OSError: it cannot be read.
    """
    most = limits().own_json_bytes if most is None else most
    _check_size(path.stat().st_size, most)
    with path.open(encoding="utf-8") as file:
        text = file.read(most + 1)  # the size that a device states is 0
    _check_size(len(text), most)
    return text


def parse_json(text: str | bytes, most: int | None = None) -> Any:
    """The content of JSON text.

    Args:
        most: bytes or characters that are parsed at most; None takes ``ReadLimits.own_json_bytes``.

    Raises:
        ValueError: it is not JSON, larger, nested deeper than ``ReadLimits.json_depth``, or holds NaN or an infinity;
            the message says which, without naming the file.

    >>> parse_json('{"frames": [1, 2]}')
    {'frames': [1, 2]}
    """
    own = limits()
    _check_size(len(text), own.own_json_bytes if most is None else most)
    depth = nesting(text)
    if depth > own.json_depth:
        raise ValueError(
            f"it is nested too deeply: {depth} levels, at most {own.json_depth} are read "
            f"({variable_of('json_depth')} raises this limit)"
        )
    return json.loads(text, parse_constant=_refuse_constant)


def finite_json(value: Any, what: str, **layout: Any) -> str:
    """``value`` as JSON text for a file.

    Args:
        what: names the content in the message. layout: as ``json.dumps`` takes it.

    Raises:
        LimpetError: a number in it is NaN or infinite, so that it would mean nothing to any reader.
    """
    try:
        return json.dumps(value, allow_nan=False, **layout)
    except ValueError as error:
        raise LimpetError(f"{what} cannot be written: a number in it is NaN or infinite ({error})") from error


def nesting(text: str | bytes) -> int:
    """How deep the lists and dictionaries of JSON text are nested. Nothing is parsed, so that any depth is safe."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    # Within a string a backslash always begins a pair, so that pairs of backslashes can go first.
    data = data.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NO_BRACKETS)
    brackets = np.frombuffer(_QUOTED.sub(b"", data), np.uint8)
    steps = np.where((brackets == ord("[")) | (brackets == ord("{")), 1, -1)
    return max(0, int(steps.cumsum().max(initial=0)))


def whole_number(value: object, what: str, lowest: int, highest: int) -> int:
    """``value`` as it is. Raises ValueError, which begins with ``what``, unless it is an int within these bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise ValueError(f"{what} is {str(value)[:40]!r}; expected a whole number of {lowest} to {highest}")
    return value


def finite_number(value: object, what: str, lowest: float, highest: float) -> float:
    """``value`` as a float. Raises ValueError, which begins with ``what``, unless it is within these bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
        raise ValueError(f"{what} is {str(value)[:40]!r}; expected a number of {lowest:g} to {highest:g}")
    return float(value)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise ValueError(
            f"it has {size} bytes; at most {most} are read ({variable_of('json_bytes')} and "
            f"{variable_of('own_json_bytes')} raise this limit)"
        )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is not a number of JSON")
