"""Files that appear complete or not at all, files that one process holds, and standard output kept for answers."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TextIO

from limpet.core.errors import Option, OutputError

_ADVICE = {
    errno.ENOSPC: "no space left on the disk; free some, or choose another folder",
    errno.EDQUOT: "your disk quota is used up; free some space, or choose another folder",
    errno.EACCES: "no permission to write there; choose another folder or change its permissions",
    errno.EPERM: "no permission to write there; choose another folder or change its permissions",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOENT: "the folder does not exist; create it first",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another path",
    errno.EEXIST: "a part of the path is a file, not a folder; choose another path",
    errno.EISDIR: "a folder has that name; choose another one",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EROFS)


@contextmanager
def atomic_path(target: str | Path, sole_writer: bool = False) -> Iterator[Path]:
    """Yield a temporary name beside ``target``; the file written there becomes ``target`` on success.

    The temporary name keeps the suffix, because encoders guess the format from it. When the body raises
    (Ctrl-C too), the temporary file is removed and an earlier ``target`` stays as it was.

    Args:
        sole_writer: nobody else writes ``target`` meanwhile, so that temporary files beside it are those of writers
            that were killed; they are removed on success.

    Raises:
        OutputError: any ``OSError`` on the way (no space, no permission ...); the message says what and where.
    """
    target = Path(target)
    temporary = temporary_name(target)
    try:
        yield temporary
        temporary.replace(target)
        if sole_writer:
            for left in target.parent.glob(glob.escape(f".{target.stem}.") + "????????.tmp" + target.suffix):
                left.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(error, target) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, would survive a loss of power.

    Raises:
        OutputError: the disk reports an error. Where a file system cannot do this, nothing happens.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC and sys.platform != "win32":
            raise output_error(error, path) from error


def lock_file(path: Path) -> IO[str] | None:
    """Make a file and lock it until it is closed, or until this process ends, however it ends.

    Returns:
        The open file; None on Windows. Where a file system has no locks, it is open all the same.

    Raises:
        BlockingIOError: another process holds the lock. OSError: the file cannot be made.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    except OSError:  # some network file systems have no locks
        pass
    return file


def take_stdout() -> TextIO:
    """What was standard output, by lines; from now on, what libraries print there goes to standard error."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return own


def temporary_name(target: Path) -> Path:
    """A hidden, unused name in the same folder: ``report.json`` -> ``.report.1f0c9a77.tmp.json``."""
    return target.with_name(f".{target.stem}.{secrets.token_hex(4)}.tmp{target.suffix}")


def output_error(error: OSError, target: Path) -> OutputError:
    """The ``OutputError`` that says what went wrong at ``target`` and what to do."""
    advice = _ADVICE.get(error.errno or 0, error.strerror or str(error))
    return OutputError(f"cannot write {target}: {advice}")


def impossible_path(error: OSError) -> str | None:
    """What is wrong with a path that no file can have, and what to do; None where the error is another one."""
    advice = {
        errno.ENAMETOOLONG: _ADVICE[errno.ENAMETOOLONG],
        errno.ELOOP: "its links lead in a circle; name the file itself",
    }.get(error.errno or 0)
    name = str(error.filename or "a path")
    return None if advice is None else f"{name if len(name) <= 80 else f'{name[:80]}…'}: {advice}"


def check_free(path: Path, overwrite: bool) -> None:
    """Raises OutputError if ``path`` exists and may not be replaced."""
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already; choose another output, or pass ", Option("overwrite"))
