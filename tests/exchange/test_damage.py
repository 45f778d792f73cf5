"""Whatever is in a file, what comes is a sentence: files of each format, changed in thousands of ways."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from limpet.core.errors import LimpetError
from limpet.exchange.formats import FORMATS, read_masks, write_masks

from .sequences import hard_clip

TRIES = 40
ODD = [
    None,
    -1,
    0,
    1e300,
    "x",
    [],
    {},
    [None],
    True,
    10**30,
    {"size": 1},
    [[1, 2, 3, 4, 5, 6]],
    "\ud800",
    "../x",
]
CHANGED = [
    name for name in FORMATS if name not in ("exr", "alpha-vp9", "alpha-prores", "alpha-ffv1", "alpha-png")
]
"""One of the videos is enough, since they share their reader."""


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container within ``value`` with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def change_json(path: Path, rng: random.Random) -> None:
    content = json.loads(path.read_text("utf-8"))
    container, key = rng.choice(list(places(content)))
    if rng.random() < 0.25:
        del container[key]
    else:
        container[key] = rng.choice(ODD)
    path.write_text(json.dumps(content), "utf-8")


def change_bytes(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 3, 20))):
        place = rng.randrange(len(data))
        if rng.random() < 0.6:
            data[place] = rng.randrange(256)
        else:
            del data[place : place + rng.randrange(1, 30)]
            data = data or bytearray(b" ")
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("name", CHANGED)
def test_every_change_is_read_or_told(name: str, tmp_path: Path) -> None:
    rng = random.Random(name)
    suffix = (FORMATS[name].suffixes or ("",))[0]
    whole = tmp_path / f"whole{suffix}"
    write_masks(hard_clip(), whole, name)
    told = 0
    for k in range(TRIES):
        copy = tmp_path / f"{k}{suffix}"
        if whole.is_dir():
            shutil.copytree(whole, copy)
        else:
            shutil.copy(whole, copy)
        files = sorted(path for path in copy.rglob("*") if path.is_file()) or [copy]
        file = rng.choice(files)
        (change_json if file.suffix == ".json" else change_bytes)(file, rng)
        try:
            masks = read_masks(copy)
            assert all(frame.labels.shape == tuple(masks.size) for frame in masks)
        except LimpetError:
            told += 1
    assert told > 0
