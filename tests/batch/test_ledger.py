"""The journal of a batch: read back after any end, and held by one batch at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from limpet.batch import ledger as module
from limpet.batch.ledger import BATCH_FOLDER, JobOutcome, Ledger
from limpet.core.errors import OutputError

OUTCOME = JobOutcome("partly", "the video ends early", 12, (7, 200), (7,), ("object 7 lost",))


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    with Ledger(tmp_path / "new/out") as ledger:
        ledger.start()
        ledger.begin("a", "key a", start_again=True)
        ledger.begin("b", "key b", start_again=False)
        ledger.end("b", "key b", OUTCOME)
        assert ledger.outcome("b") == OUTCOME
    with (tmp_path / "new/out" / BATCH_FOLDER / "journal.txt").open("ab") as file:
        file.write(b'00000000 {"ended": {"name": "a"')  # killed while it wrote
    with Ledger(tmp_path / "new/out") as ledger:
        a, b = ledger.find("a"), ledger.find("b")
        assert a is not None and (a.key, a.status, a.start_again) == ("key a", None, True)
        assert b is not None and (b.key, b.status, b.start_again) == ("key b", "partly", False)
        assert ledger.outcome("b") == OUTCOME and ledger.outcome("a") is None and ledger.find("c") is None
        ledger.end("a", "key a", JobOutcome("done"))
    with Ledger(tmp_path / "new/out") as ledger:
        assert ledger.outcome("a") == JobOutcome("done") and ledger.outcome("b") == OUTCOME


def test_one_batch_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    with Ledger(tmp_path), pytest.raises(OutputError, match="another batch is at work in"), Ledger(tmp_path):
        pass
    with Ledger(tmp_path):
        pass


def test_a_batch_that_never_began_leaves_nothing(tmp_path: Path) -> None:
    with Ledger(tmp_path / "out") as ledger:
        ledger.forget()
    assert not (tmp_path / "out").exists()


def test_a_damaged_journal_is_told(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.start()
        ledger.begin("a", "key", start_again=False)
    path = tmp_path / BATCH_FOLDER / "journal.txt"
    path.write_bytes(path.read_bytes().replace(b"limpet batch", b"limpet botch"))
    with pytest.raises(OutputError, match=r"line 1 of .* is damaged"), Ledger(tmp_path):
        pass
    path.unlink()
    with Ledger(tmp_path):  # the lock was given back
        pass
