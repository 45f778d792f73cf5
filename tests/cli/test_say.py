"""Sentences: results on stdout, the rest on stderr, in one piece where no terminal is."""

from __future__ import annotations

import pytest

from limpet.cli.say import error, note, notes, say

LONG = "word " * 40 + "/a/path" * 30 + " [bold]:smile: 123[/bold]"


def test_nothing_is_wrapped_or_interpreted(capsys: pytest.CaptureFixture[str]) -> None:
    say(LONG)
    note(LONG)
    error(LONG)
    said = capsys.readouterr()
    assert said.out == f"{LONG}\n"
    assert said.err == f"note: {LONG}\nerror: {LONG}\n"


def test_a_terminal_gets_lines_that_end_between_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    error("there is no folder/with/clip.mp4 here; expected a video file")
    lines = capsys.readouterr().err.splitlines()
    assert "error: there is no folder/with/clip.mp4" in lines[0] and "here; expected" in lines[1]
    assert lines[0].startswith("\x1b[31m"), "red"


def test_few_notes_of_many(capsys: pytest.CaptureFixture[str]) -> None:
    notes([f"line {number}" for number in range(5)], rest="see report.json", most=3)
    notes(["only one"], rest="see report.json", most=3)
    assert capsys.readouterr().err.splitlines() == [
        "note: line 0", "note: line 1", "note: line 2", "note: and 2 more, see report.json", "note: only one"
    ]  # fmt: skip
