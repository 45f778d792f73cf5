"""Content-addressed files, named by the sha256 of their bytes: written once, never changed, and checked when read.

Undo therefore only changes references: the earlier bytes are still there under their own name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from limpet.core.errors import ProjectError
from limpet.core.files import atomic_path, output_error, sync

_COPY_AGAIN = "copy the project folder again from an intact copy, or propagate these frames again"


class Store:
    """One kind of content: ``root/ab/abcdef….suffix``, spread over 256 folders.

    Args:
        root: made when the first file is written.
        suffix: with its dot.
    """

    def __init__(self, root: Path, suffix: str) -> None:
        self.root, self.suffix = root, suffix
        self._unsynced: set[Path] = set()

    def path(self, digest: str) -> Path:
        """Where the content of this sha256 (64 hex digits) lies."""
        return self.root / digest[:2] / f"{digest}{self.suffix}"

    def put(self, data: bytes) -> str:
        """Store ``data`` unless it is there and intact already; returns its sha256.

        Raises:
            OutputError: it cannot be written.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self.path(digest)
        if path.is_file() and path.read_bytes() == data:
            self._unsynced.add(path)  # another program may have written it a moment ago
            return digest
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(error, path) from error
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
        self._unsynced.add(path)
        return digest

    def sync(self) -> None:
        """Wait until everything that was stored would survive a loss of power. Raises OutputError."""
        for path in sorted(self._unsynced):
            if path.is_file():  # it may have been tidied away, if its edit was given up
                sync(path)
        self._unsynced.clear()

    def get(self, digest: str) -> bytes:
        """The bytes that were stored under ``digest``.

        Raises:
            ProjectError: the file is missing, cannot be read or holds other bytes than those.
        """
        path = self.path(digest)
        try:
            data = path.read_bytes()
        except OSError as error:
            reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
            raise ProjectError(f"{path} {reason}; {_COPY_AGAIN}") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise ProjectError(
                f"{path} is damaged or was edited: its sha256 differs from its name; {_COPY_AGAIN}"
            )
        return data

    def remove(self, digest: str) -> None:
        """Remove what nothing refers to; if that does not work, it stays."""
        with suppress(OSError):
            self.path(digest).unlink()

    def is_intact(self, digest: str) -> bool:
        """Whether the file is there and holds the bytes of its name; it is read whole."""
        try:
            self.get(digest)
        except ProjectError:
            return False
        return True

    def has(self, digest: str) -> bool:
        """Whether there is a file of that name; its bytes are checked when it is read."""
        return self.path(digest).is_file()

    def files(self) -> Iterator[Path]:
        """All stored files, without temporary ones."""
        return (path for path in self.root.glob(f"??/*{self.suffix}") if not path.name.startswith("."))
