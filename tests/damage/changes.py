"""Ways to damage a file: cut off, bits turned, fields of JSON removed, exchanged, deepened and enlarged.

``every_change`` lists all of them for a small file; ``some_changes`` takes a sample that is always the same one;
``changed_at_random`` makes input number k of a file, which is always the same bytes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple


class Change(NamedTuple):
    """what: in words, to name the input. data: the file's new bytes; None: the file is gone."""

    what: str
    data: bytes | None


ODD: tuple[Any, ...] = (
    None, -1, 0, 0.5, 1e300, float("nan"), float("inf"), True, "", "x", "../x", "/etc/passwd", "\ud800", "\x00",
    "\x1b[31m", "<b>", [], {}, [None], [[1, 2, 3, 4, 5, 6]], {"size": 1}, 10**12, 10**30, -(10**30), "9" * 5000,
)  # fmt: skip
"""Values that a field may have instead of its own."""
DEEP = 100_000
"""Levels of a nest that no parser follows to its end."""


def truncations(data: bytes) -> Iterator[Change]:
    """Cut off at every length, the empty file first."""
    for length in range(len(data)):
        yield Change(f"cut off after {length} bytes", data[:length])


def bit_flips(data: bytes) -> Iterator[Change]:
    """Each bit turned."""
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            yield Change(f"bit {bit} of byte {place} turned", bytes(flipped))


def lost_stretches(data: bytes, lengths: tuple[int, ...] = (1, 7, 64)) -> Iterator[Change]:
    """Stretches that are missing, zeros or twice there, at every place that is a multiple of their length."""
    for length in lengths:
        for place in range(0, len(data), length):
            rest = data[place + length :]
            lost = data[place : place + length]
            yield Change(f"bytes {place} to {place + length} lost", data[:place] + rest)
            yield Change(f"bytes {place} to {place + length} zero", data[:place] + bytes(len(lost)) + rest)
            yield Change(f"bytes {place} to {place + length} twice", data[:place] + lost + lost + rest)


def json_changes(text: str) -> Iterator[Change]:
    """Each field removed, exchanged with its neighbour, deepened, and given every odd value and number."""
    return (Change(recipe.what, recipe.make()) for recipe in _json_recipes(text))


class _Recipe(NamedTuple):
    what: str
    make: Callable[[], bytes]


def _json_recipes(text: str) -> Iterator[_Recipe]:
    content = json.loads(text)
    yield _Recipe("the whole is deep", lambda: b"[" * DEEP)
    yield _Recipe("the whole is a list", lambda: json.dumps([content]).encode())
    for path in _paths(content):
        name = ".".join(map(str, path))
        yield _Recipe(f"{name} removed", partial(_with, content, path, None, remove=True))
        if _exchangeable(content, path):
            yield _Recipe(f"{name} exchanged with its neighbour", partial(_exchanged, content, path))
        yield _Recipe(f"{name} is a deep nest", partial(_with_text, content, path, "[" * DEEP + "]" * DEEP))
        value = _at(content, path)
        values = [*ODD, [value], {"x": value}]
        if isinstance(value, int | float) and not isinstance(value, bool):
            values += [value + 1, -value, value * 1000, value * 10**9, float(value) + 0.5, str(value)]
        for other in values:
            if not _same(other, value):
                yield _Recipe(f"{name} is {str(other)[:30]!r}", partial(_with, content, path, other))


def every_change(data: bytes, text: bool) -> Iterator[Change]:
    """All single changes of a file; ``text``: it is JSON."""
    yield Change("gone", None)
    yield from truncations(data)
    yield from bit_flips(data)
    yield from lost_stretches(data)
    if text:
        yield from json_changes(data.decode())


def some_changes(data: bytes, text: bool, count: int, seed: str) -> list[Change]:
    """``count`` of them, always the same ones; changes of fields are half of them where there are fields."""
    rng = random.Random(seed)
    sampled = [Change("gone", None), Change("empty", b"")]
    if text:
        recipes = list(_json_recipes(data.decode()))
        chosen = rng.sample(recipes, min(count // 2, len(recipes)))
        sampled += [Change(recipe.what, recipe.make()) for recipe in chosen]
    while len(sampled) < count:
        sampled.append(_one_change(data, rng))
    return sampled


def changed_at_random(data: bytes, text: bool, number: int) -> bytes:
    """Input ``number`` of a file: one to five changes, one upon the other."""
    rng = random.Random(number)
    for _ in range(rng.choice((1, 1, 2, 5))):
        data = _json_change(data, rng) if text and rng.random() < 0.6 else _one_change(data, rng).data or b""
    return data


def _one_change(data: bytes, rng: random.Random) -> Change:
    if not data:
        return Change("one byte", bytes([rng.randrange(256)]))
    place, kind = rng.randrange(len(data)), rng.randrange(5)
    if kind == 0:
        return Change(f"cut off after {place} bytes", data[:place])
    if kind == 1:
        length = rng.choice((1, 7, 64))
        rest = data[place + length :]
        how = rng.choice((b"", bytes(length), 2 * data[place : place + length]))
        return Change(f"bytes {place} to {place + length} are {how[:20]!r}", data[:place] + how + rest)
    if kind == 2:
        length = rng.choice((1, 2, 4, 8))
        number = rng.choice((0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 1 << 31, (1 << 32) - 1, (1 << 64) - 1))
        how = (number % (1 << (8 * length))).to_bytes(length, rng.choice(("little", "big")))
        return Change(f"bytes from {place} on are {how!r}", data[:place] + how + data[place + length :])
    flipped = bytearray(data)
    flipped[place] ^= 1 << rng.randrange(8)
    return Change(f"a bit of byte {place} turned", bytes(flipped))


def _json_change(data: bytes, rng: random.Random) -> bytes:
    try:
        content = json.loads(data)
        paths = list(_paths(content))
    except (ValueError, RecursionError):
        return data
    if not paths:
        return data
    path = rng.choice(paths)
    kind = rng.randrange(8)
    if kind == 0:
        return _with(content, path, None, remove=True)
    if kind == 1:
        return _exchanged(content, path) if _exchangeable(content, path) else data
    if kind == 2:
        return _with(content, path, _at(content, rng.choice(paths)))
    value = _at(content, path)
    if kind == 3 and isinstance(value, int | float):
        return _with(content, path, rng.choice((value + 1, value - 1, -value, value * 1000, str(value))))
    return _with(content, path, rng.choice(ODD))


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*path, key)
        yield from _paths(value[key], (*path, key))


def _at(content: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        content = content[key]
    return content


def _with(content: Any, path: tuple[Any, ...], value: Any, remove: bool = False) -> bytes:
    changed = json.loads(json.dumps(content))
    container = _at(changed, path[:-1])
    if remove:
        del container[path[-1]]
    else:
        container[path[-1]] = value
    return json.dumps(changed).encode()


def _with_text(content: Any, path: tuple[Any, ...], text: str) -> bytes:
    return _with(content, path, "@here@").replace(b'"@here@"', text.encode())


def _exchangeable(content: Any, path: tuple[Any, ...]) -> bool:
    """Whether another value follows in the same container."""
    following = _following(content, path)
    return following is not None and _at(content, (*path[:-1], following)) != _at(content, path)


def _exchanged(content: Any, path: tuple[Any, ...]) -> bytes:
    """With the value of a field and that of the next one exchanged."""
    changed = json.loads(json.dumps(content))
    inside = _at(changed, path[:-1])
    one, other = path[-1], _following(content, path)
    inside[one], inside[other] = inside[other], inside[one]
    return json.dumps(changed).encode()


def _following(content: Any, path: tuple[Any, ...]) -> Any:
    container = _at(content, path[:-1])
    keys = list(container) if isinstance(container, dict) else list(range(len(container)))
    place = keys.index(path[-1]) + 1
    return keys[place] if place < len(keys) else None


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other
