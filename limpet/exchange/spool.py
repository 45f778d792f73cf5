"""A temporary file for what comes frame by frame and is wanted object by object, or the other way round."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import Literal, Self

_CACHE_KIB = 16_384
"""What is more is on the disk."""


class MaskSpool:
    """Texts by object and frame, of which only a few MiB are in memory. Use it in ``with``.

    Args:
        order: "object" gives all frames of one object together, "frame" all objects of one frame.
    """

    def __init__(self, order: Literal["object", "frame"]) -> None:
        self._keys = "object, frame" if order == "object" else "frame, object"
        # "" is a database of its own in a temporary file, which the system removes when it is closed.
        self._base = sqlite3.connect("", check_same_thread=False)
        self._base.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._base.execute("PRAGMA journal_mode = OFF")
        self._base.execute(
            "CREATE TABLE masks (object INTEGER, frame INTEGER, place INTEGER, text TEXT, "
            f"PRIMARY KEY ({self._keys}, place)) WITHOUT ROWID"
        )
        self._place = 0

    def put(self, object_id: int, frame: int, text: str) -> None:
        """Keep a text; an object may have several in a frame."""
        self._place += 1
        self._base.execute("INSERT INTO masks VALUES (?, ?, ?, ?)", (object_id, frame, self._place, text))

    def objects(self) -> list[int]:
        """The ids of all objects, ascending."""
        return [row[0] for row in self._base.execute("SELECT DISTINCT object FROM masks ORDER BY object")]

    def of_object(self, object_id: int) -> Iterator[tuple[int, str]]:
        """The frames of an object, ascending, with their texts."""
        query = "SELECT frame, text FROM masks WHERE object = ? ORDER BY frame, place"
        yield from self._base.execute(query, (object_id,))

    def by_frame(self) -> Iterator[tuple[int, list[tuple[int, str]]]]:
        """The frames, ascending, each with its objects and texts in the order in which they were put."""
        rows = self._base.execute("SELECT frame, object, text FROM masks ORDER BY frame, place")
        for frame, group in groupby(rows, key=itemgetter(0)):
            yield frame, [(number, text) for _, number, text in group]

    def last_frame(self) -> int:
        """The highest frame; -1 if there is none."""
        return int(self._base.execute("SELECT coalesce(max(frame), -1) FROM masks").fetchone()[0])

    def close(self) -> None:
        """Remove the file."""
        self._base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
