"""The journal of a batch: which jobs were begun, and how they ended, whatever killed the processes.

It lies in the hidden folder ``.limpet-batch`` of the batch, a line per event, each with a check sum
(``limpet.results.journal``). In memory a job takes a few hundred bytes: what is known of it is read from the file.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, get_args

from limpet.core.errors import OutputError
from limpet.core.files import lock_file, output_error
from limpet.core.provenance import VERSION
from limpet.core.saved_records import record_from
from limpet.results.journal import Journal

BATCH_FOLDER = ".limpet-batch"
BATCH, BEGUN, ENDED = "batch", "begun", "ended"
PATIENCE = 5.0
"""Seconds to wait for the workers of a batch that was killed: they end once they notice."""
Status = Literal["done", "partly", "failed"]


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended.

    status: "done"; "partly": the results are complete, but the video or a later mask was not used to its end;
        "failed": there are no results, or not all of them.
    reason: in one or a few sentences, why it is not "done".
    frames: written. object_ids: tracked. lost: those of them that were lost at some time.
    look_first: where a person should look first, the worst first.
    again: whether another try may end otherwise.
    """

    status: Status
    reason: str = ""
    frames: int = 0
    object_ids: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    look_first: tuple[str, ...] = ()
    again: bool = field(default=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """As plain data, without what only the batch's own process needs."""
        return {name: value for name, value in asdict(self).items() if name != "again"}

    @staticmethod
    def from_dict(facts: Mapping[str, Any]) -> JobOutcome:
        """From what ``as_dict`` gave, or ``dataclasses.asdict``. Raises ValueError for anything else."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
        return record_from(JobOutcome, plain)


class LedgerEntry(NamedTuple):
    """What is kept in memory of a job.

    key: see ``BatchJob.key``. status: how it ended; None: it has not.
    begin: where its last line begins in the file.
    start_again: when it was begun, there was something in its folder to discard.
    """

    key: str
    status: Status | None
    begin: int
    start_again: bool


class Ledger:
    """The journal of the batch in ``folder``. Use it in ``with``: only one batch at a time can hold a folder.

    Several threads may use it at once.

    Raises:
        OutputError: another batch is at work in the folder; or it cannot be written or read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / BATCH_FOLDER
        self._journal = Journal(self._path / "journal.txt")
        self._entries: dict[str, LedgerEntry] = {}
        self._lock: IO[str] | None = None
        self._mutex = threading.Lock()

    def __enter__(self) -> Ledger:
        new = not self._path.is_dir()
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            self._keep_others_out()
        except OSError as error:
            raise output_error(error, self._path) from error
        try:
            self._read()
        except BaseException:
            self._release()
            if new:
                self.forget()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    @property
    def logs(self) -> Path:
        """The folder where workers write what they have to say."""
        return self._path

    @property
    def started(self) -> bool:
        """Whether this folder is that of a batch, by this command or an earlier one."""
        return self._journal.path.exists()

    @property
    def lock_descriptor(self) -> int | None:
        """Of the lock: workers inherit it, so that the folder is locked as long as one of them lives."""
        return None if self._lock is None else self._lock.fileno()

    def start(self) -> None:
        """Write the first line, if there is none yet."""
        if not self.started:
            self._journal.append(BATCH, {"made_by": "limpet batch", "version": VERSION})

    def forget(self) -> None:
        """Remove the journal of a batch that has not begun, and its folder if nothing else is there."""
        with suppress(OSError):
            (self._path / "lock").unlink(missing_ok=True)
            self._path.rmdir()
            self._path.parent.rmdir()

    def find(self, name: str) -> LedgerEntry | None:
        """What is known of a job; None if it was never begun."""
        return self._entries.get(name)

    def begin(self, name: str, key: str, start_again: bool) -> None:
        """A job is about to be worked on; ``start_again``: what is in its folder is to be discarded.

        Raises:
            OutputError: the journal cannot be written.
        """
        self._write(BEGUN, {"name": name, "key": key, "start_again": start_again})

    def end(self, name: str, key: str, outcome: JobOutcome) -> None:
        """A job has ended. Raises OutputError."""
        self._write(ENDED, {"name": name, "key": key, **outcome.as_dict()})

    def outcome(self, name: str) -> JobOutcome | None:
        """How a job ended; None if it has not. Raises OutputError."""
        entry = self._entries.get(name)
        if entry is None or entry.status is None:
            return None
        facts = self._journal.line_at(entry.begin).facts
        with self._damage_told():
            return JobOutcome.from_dict(
                {key: value for key, value in facts.items() if key not in ("name", "key")}
            )

    def _write(self, kind: str, facts: Mapping[str, Any]) -> None:
        with self._mutex:
            self._keep(facts, self._journal.append(kind, facts))

    def _keep(self, facts: Mapping[str, Any], begin: int) -> None:
        status = facts.get("status")
        if status not in (None, *get_args(Status)):
            raise ValueError(f"status is {status!r}")
        entry = LedgerEntry(str(facts["key"]), status, begin, bool(facts.get("start_again", False)))
        self._entries[str(facts["name"])] = entry

    def _read(self) -> None:
        end = 0
        for line in self._journal.lines():
            if line.kind != BATCH:
                with self._damage_told():
                    self._keep(line.facts, end)
            end = line.end
        self._journal.cut(end)  # an incomplete last line

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError) as error:
            raise OutputError(
                f"{self._journal.path} is not as a batch writes it ({error}); choose another folder, or remove "
                f"{self._path} and start the batch again"
            ) from error

    def _keep_others_out(self) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self._lock = lock_file(self._path / "lock")
                return
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise OutputError(
                        f"another batch is at work in {self._path.parent}; wait until it ends, or choose another folder"
                    ) from error
                time.sleep(0.05)

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
