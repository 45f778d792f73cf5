"""The files of a submission, in a zip file or in a folder."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from limpet.core.errors import DataError

_LARGEST = 64 * 2**20
"""Bytes of one file; masks are far smaller."""


class SubmissionFiles:
    """Names of files, with ``/`` between folders, and what is in them.

    Args:
        path: a zip file, or a folder that holds what the zip file would hold.

    Raises:
        DataError: it is neither, or the archive is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: Callable[[str], bytes]
        if path.is_dir():
            self.names = sorted(
                each.relative_to(path).as_posix() for each in path.rglob("*") if each.is_file()
            )
            self.sizes = {name: (path / name).stat().st_size for name in self.names}
            self._read = lambda name: (path / name).read_bytes()
            return
        if not path.is_file():
            raise DataError(
                f"there is no archive {path}; expected a zip file, or the folder that it is made of"
            )
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise DataError(f"{path} cannot be read as a zip file: {error}") from error
        entries = [each for each in self._archive.infolist() if not each.is_dir()]
        self.names = [each.filename for each in entries]
        self.sizes = {each.filename: each.file_size for each in entries}
        self._read = self._archive.read

    def read(self, name: str) -> bytes:
        """What is in a file. Raises DataError where it is damaged or far too large."""
        if self.sizes[name] > _LARGEST:
            raise DataError(f"{self.sizes[name] / 2**20:.0f} MB, far more than any mask needs")
        try:
            return self._read(name)
        except (
            OSError,
            zipfile.BadZipFile,
            RuntimeError,
            NotImplementedError,
            EOFError,
            ValueError,
        ) as error:
            raise DataError(f"cannot be read: {error}") from error
