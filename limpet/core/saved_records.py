"""Dataclasses of plain facts read back from JSON, with every value of the type that its field states."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Record = TypeVar("Record")


def record_from(kind: type[Record], facts: object) -> Record:
    """A dataclass made of what JSON holds of it and of the dataclasses within; absent fields have their defaults.

    Raises:
        ValueError: it is not a dictionary, lacks a field, has one that the dataclass has not, or a value of another
            type, or a number that is not finite; the message names the field.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Box:
    ...     size: tuple[int, ...]
    ...     label: str | None = None
    >>> record_from(Box, {"size": [3, 4]})
    Box(size=(3, 4), label=None)
    >>> record_from(Box, {"size": [3, "4"]})
    Traceback (most recent call last):
    ValueError: size is '4'; expected int
    """
    if not isinstance(facts, dict):
        raise ValueError(f"{kind.__name__} is {_short(facts)}; expected a dictionary")
    hints = get_type_hints(kind)
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := facts.keys() - known:
        raise ValueError(f"{kind.__name__} has no entry {', '.join(map(_short, sorted(unknown)))}")
    try:
        return kind(**{name: _checked(hints[name], value, name) for name, value in facts.items()})
    except TypeError as error:  # a field without a default is missing
        raise ValueError(f"{kind.__name__} lacks an entry ({error})") from error


def _checked(kind: Any, value: Any, name: str) -> Any:
    """``value`` if it is of the type ``kind``; lists become tuples where these are expected."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if isinstance(kind, type) and is_dataclass(kind):
        return record_from(kind, value)
    if origin in (Union, types.UnionType):
        return _any_of(inner, kind, value, name)
    if origin is Literal and value in inner:
        return value
    if origin is tuple and isinstance(value, list):
        kinds = [inner[0]] * len(value) if inner[1:] == (...,) else inner
        if len(kinds) == len(value):
            return tuple(_checked(each, part, name) for each, part in zip(kinds, value, strict=True))
    if origin in (dict, Mapping) and isinstance(value, dict):
        return {_checked(inner[0], key, name): _checked(inner[1], part, name) for key, part in value.items()}
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        if math.isfinite(value):
            return value
    elif isinstance(kind, type) and isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
        return value
    raise ValueError(f"{name} is {_short(value)}; expected {getattr(kind, '__name__', kind)}")


def _any_of(kinds: tuple[Any, ...], kind: Any, value: Any, name: str) -> Any:
    for each in kinds:
        try:
            return None if each is type(None) and value is None else _checked(each, value, name)
        except ValueError:
            continue
    raise ValueError(f"{name} is {_short(value)}; expected {kind}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
