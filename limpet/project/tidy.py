"""Frees disk space: discards old edits, and removes files that no edit refers to."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from limpet.core.errors import ProjectError
from limpet.core.files import output_error
from limpet.project.folder import Folder
from limpet.project.propagation import SCRATCH
from limpet.project.snapshot import read_page

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp\..+")


@dataclass(frozen=True)
class Tidied:
    """edits: how many were discarded. files: how many were removed. nbytes: bytes that were freed."""

    edits: int
    files: int
    nbytes: int


def tidy(folder: Folder, keep: int | None, min_age: float) -> Tidied:
    """Discard all but the last ``keep`` edits, then remove the files that no edit refers to.

    Args:
        keep: how many edits can still be undone; None keeps all. Undone edits, which can be redone, are always kept.
        min_age: files younger than this many seconds stay, because another program may be about to refer to them.

    Raises:
        ProjectError: the project is open for reading only, so that it is unknown what is needed; or ``keep`` < 0.
        OutputError: a file cannot be removed.
    """
    folder.check_writable()
    forgotten = 0 if keep is None else _forget(folder, keep)
    masks, pages, snapshots = _referred(folder)
    before = time.time() - min_age
    files = nbytes = 0
    for path in _unreferred(folder, masks, pages, snapshots):
        try:
            facts = path.stat()
            if facts.st_mtime > before:
                continue
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise output_error(error, path) from error
        files, nbytes = files + 1, nbytes + facts.st_size
    for scratch in folder.path.glob(f"{SCRATCH}*"):
        if scratch.stat().st_mtime <= before:
            shutil.rmtree(scratch, ignore_errors=True)
    return Tidied(forgotten, files, nbytes)


def _forget(folder: Folder, keep: int) -> int:
    if keep < 0:
        raise ProjectError(f"keep is {keep}; expected 0 or more edits to keep")
    head = folder.head
    drop = max(0, head.position - keep)
    if drop:
        folder.forget(head.edits[drop:], base=head.edits[drop - 1].number)
    return drop


def _referred(folder: Folder) -> tuple[set[str], set[str], set[int]]:
    """sha256 of masks and of pages, and numbers of snapshots, that any edit refers to."""
    numbers = {folder.head.base, *(edit.number for edit in folder.head.edits)}
    pages = {digest for number in numbers for digest in folder.read_snapshot(number).pages.values()}
    masks = {entry.mask for digest in pages for entry in read_page(folder.pages.get(digest)).values()}
    return masks, pages, numbers


def _unreferred(folder: Folder, masks: set[str], pages: set[str], snapshots: set[int]) -> Iterator[Path]:
    wanted = {folder.snapshot_path(number) for number in snapshots}
    yield from (path for path in folder.masks.files() if path.stem not in masks)
    yield from (path for path in folder.pages.files() if path.stem not in pages)
    yield from (path for path in (folder.path / "history").glob("[0-9]*.json") if path not in wanted)
    places = chain(
        *(folder.path.glob(pattern) for pattern in (".*", "history/.*", "masks/??/.*", "pages/??/.*"))
    )
    yield from (path for path in places if path.is_file() and _TEMPORARY.fullmatch(path.name))
