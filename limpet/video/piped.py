"""Bytes that come through a pipe, for FFmpeg: read once, never sought in, and never waited for in vain."""

from __future__ import annotations

import os
import select
import threading
from typing import Protocol

_LOOK_UP = 0.1  # seconds after which a reader that waits sees that it was stopped
HEAD = 12


class Readable(Protocol):
    """A binary file, in so far as it is read."""

    def read(self, size: int, /) -> bytes: ...


class PipeInput:
    """What PyAV takes for a file that cannot be sought in.

    Args:
        source: a file descriptor (it stays the caller's), or anything with ``read``; None: ``connect`` says later.
        first_writer: a named pipe may be empty because nobody has opened it for writing yet: wait for that.

    Attributes:
        count: how many bytes came. head: the first of them.
    """

    def __init__(self, source: int | Readable | None, *, first_writer: bool = False) -> None:
        self._source, self._first_writer = source, first_writer
        self._stopped = threading.Event()
        self.count, self.head = 0, b""

    def connect(self, source: int | Readable) -> None:
        """Read from this from now on."""
        self._source = source

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes as they come; b"" at the end, and once stopped."""
        data = self._read_some(size)
        self.count += len(data)
        if len(self.head) < HEAD:
            self.head = (self.head + data)[:HEAD]
        return data

    def stop(self) -> None:
        """End the waiting of another thread."""
        self._stopped.set()

    def _read_some(self, size: int) -> bytes:
        if self._source is None or self._stopped.is_set():
            return b""
        if not isinstance(self._source, int):
            return self._source.read(size)
        while not self._stopped.is_set():
            if not _has_come(self._source):
                continue
            data = os.read(self._source, size)
            if data or self.count or not self._first_writer:
                return data
            self._stopped.wait(_LOOK_UP)
        return b""


def _has_come(descriptor: int) -> bool:
    if os.name == "nt":  # select knows sockets only; there a read waits for ever
        return True
    return bool(select.select([descriptor], [], [], _LOOK_UP)[0])
