"""One input of the corpus: how it is made, and what is read from it, in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limpet.core.errors import LimpetError
from limpet.core.plain_text import one_line

LONGEST = 110
"""Characters of an outcome in the table."""


@dataclass(frozen=True)
class Case:
    """group: the part of the table. name: in words, and once only within the group.

    make: writes the input into an empty folder; gives what is to be read. read: gives what it says, in words.
    """

    group: str
    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], str]


def outcome_of(case: Case, folder: Path) -> str:
    """What comes of a case: ``read: ...`` or ``refused: ...``, a line of the table."""
    path = case.make(folder)
    try:
        words = f"read: {case.read(path)}"
    except LimpetError as error:
        words = f"refused: {error}"
    return plain(words, folder, case.group != "Bundles")


def plain(words: str, folder: Path, short: bool) -> str:
    """A message without what differs between machines: the folder, and, if ``short``, what libraries said in brackets."""
    words = (
        one_line(words)
        .replace(f"{folder.resolve()}/", "")
        .replace(f"{folder}/", "")
        .replace(str(folder), "FOLDER")
    )
    words = re.sub(r"(/\S*/limpet-uploads/)?\.[\w ]+\.[0-9a-f]{8}\.tmp", "UPLOAD", words)
    if short:
        words = re.sub(r" \((?:[^()]|\([^()]*\))*\)", "", words)
    words = re.sub(r"\b[0-9a-f]{32,64}\b", "SHA", words)
    words = words.replace("|", "/").replace("<", "‹").replace(">", "›").replace("`", "'")
    words = re.sub(r"(: |^)[^:]*cannot identify image file.*", r"\1no image", words)
    words = re.sub(r"(formats that can be read): .*", r"\1: …", words)
    words = " ".join(words.split())
    return words if len(words) <= LONGEST else words[: LONGEST - 1].rstrip() + "…"


def written(name: str, data: bytes | str) -> Callable[[Path], Path]:
    """A recipe: one file."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)
        return path

    return make


def as_json(content: Any) -> bytes:
    """JSON as Python writes it, NaN and infinities included."""
    return json.dumps(content).encode()
