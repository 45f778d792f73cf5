"""One damaged file is read: what comes has to be the right answer, or a sentence."""

from __future__ import annotations

import shutil
import signal
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from limpet.core.errors import LimpetError

from .changes import Change
from .kind import Kind

SECONDS = 10
"""What takes longer counts as a hang."""


class HangError(BaseException):
    """No reader catches it."""


class Trial:
    """An example of a kind in a folder of its own, whose file is damaged and mended again and again.

    Args:
        seconds: what takes longer counts as a hang; 0: nobody looks at the clock.

    Attributes:
        data: the whole file. right: what is read from it.
        outcomes: how often each of "right", "told" and "other" came. faults: what should not have come.
    """

    def __init__(self, kind: Kind, folder: Path, seconds: int = SECONDS) -> None:
        self.kind, self._seconds = kind, seconds
        self._example, self._place = folder / "example", folder / "damaged"
        self._example.mkdir()
        self.kind.make(self._example)
        self._renew()
        self.data = self._file.read_bytes()
        try:
            self.right = self.kind.read(self._place)
        except LimpetError as error:  # of some requests, that is the answer
            self.right = error
        self._renew()
        self.outcomes: Counter[str] = Counter()
        self.faults: list[str] = []

    @property
    def is_json(self) -> bool:
        """Whether the file's fields can be changed."""
        return self.data[:1] in (b"{", b"[") and self._file.suffix == ".json"

    def run(self, changes: Iterable[Change]) -> None:
        """Read the file after each of the changes."""
        for change in changes:
            outcome = self.outcome(change.data)
            self.outcomes[outcome.partition(":")[0]] += 1
            if outcome not in ("right", "told", "other"):
                self.faults.append(f"{change.what}: {outcome}")

    def outcome(self, data: bytes | None) -> str:
        """What comes of the file with other bytes, or without it: "right", "told", "other", or what is wrong."""
        if data is None:
            self._file.unlink(missing_ok=True)
        else:
            self._file.write_bytes(self.kind.mended(data))
        try:
            with time_limit(self._seconds):
                found = self.kind.read(self._place)
        except LimpetError as error:
            return "told" if str(error).strip() else "an empty sentence"
        except HangError:
            return "hang"
        except BaseException as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            return f"crash: {type(error).__name__}: {str(error)[:200]} ({frame.filename}:{frame.lineno})"
        finally:
            self._mend()
        if same(found, self.right) or self.kind.also_right(self.right, found):
            return "right"
        return f"silently wrong: {str(found)[:200]}" if self.kind.checked else "other"

    def _mend(self) -> None:
        """Reading may have removed the folder; the file itself is written for each change."""
        if not self._file.parent.is_dir():
            self._renew()

    def _renew(self) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        shutil.copytree(self._example, self._place)
        self._file = self.kind.file(self._place)


def same(one: Any, other: Any) -> bool:
    """Whether two answers agree; NaN agrees with itself."""
    return bool(one == other) or repr(one) == repr(other)


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raises HangError in the main thread after ``seconds``; never if that is 0."""

    def told(number: int, frame: FrameType | None) -> None:
        raise HangError

    if not seconds:
        yield
        return
    before = signal.signal(signal.SIGALRM, told)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
