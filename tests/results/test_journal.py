"""A journal of which a killed process left what it could."""

from __future__ import annotations

from pathlib import Path

import pytest

from limpet.core.errors import OutputError
from limpet.results.journal import Journal

FACTS = [{"index": index, "time": index / 3, "name": "é\n"} for index in range(5)]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "journal.txt")
    for facts in FACTS:
        made.append("row", facts)
    return made


def test_every_line_comes_back(journal: Journal, tmp_path: Path) -> None:
    lines = journal.read()
    assert [line.facts for line in lines] == FACTS and {line.kind for line in lines} == {"row"}
    assert lines[-1].end == journal.path.stat().st_size
    assert Journal(tmp_path / "none").read() == []


@pytest.mark.parametrize("torn", [1, 5, 30])
def test_a_torn_last_line_is_left_out(journal: Journal, torn: int) -> None:
    content = journal.path.read_bytes()
    journal.path.write_bytes(content[:-torn])
    assert [line.facts for line in journal.read()] == FACTS[:-1]


def test_damage_before_the_last_line_is_reported(journal: Journal) -> None:
    content = bytearray(journal.path.read_bytes())
    end = journal.read()[1].end
    content[end + 30] ^= 1
    journal.path.write_bytes(content)
    with pytest.raises(OutputError, match=r"line 3 of .*journal.txt is damaged.*overwrite=True"):
        journal.read()


def test_going_on_after_a_cut(journal: Journal) -> None:
    journal.path.write_bytes(journal.path.read_bytes()[:-3])
    journal.cut(journal.read()[2].end)
    journal.append("state", {"index": 9})
    assert [line.facts["index"] for line in journal.read()] == [0, 1, 2, 9]


def test_a_full_disk_leaves_no_part_of_a_line(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device takes ten bytes of the line."""
    before = journal.path.read_bytes()
    original = Path.open

    class Full:
        def __init__(self, file: object) -> None:
            self.file = file

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()  # type: ignore[attr-defined]

        def tell(self) -> int:
            return self.file.tell()  # type: ignore[attr-defined,no-any-return]

        def write(self, data: bytes) -> int:
            return self.file.write(data[:10])  # type: ignore[attr-defined,no-any-return]

    monkeypatch.setattr(Path, "open", lambda *given, **named: Full(original(*given, **named)))
    with pytest.raises(OutputError, match="no space left on the disk"):
        journal.append("row", {"index": 5})
    monkeypatch.undo()
    assert journal.path.read_bytes() == before
