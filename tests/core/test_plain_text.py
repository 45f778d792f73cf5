"""Control characters in text of others."""

from __future__ import annotations

import pytest

from limpet.core.plain_text import is_plain, one_line, without_controls


@pytest.mark.parametrize("text", ["", "dog.mp4", "Häschen 🐇", "日本", "C:\\clips\\a b.mp4"])
def test_ordinary_text_stays(text: str) -> None:
    assert is_plain(text) and one_line(text) == text == without_controls(text)


@pytest.mark.parametrize(
    "control", ["\x1b", "\x07", "\r", "\x08", "\x9b", "\x00", "\u202e", "\u2066", "\ud800"]
)
def test_control_characters_are_written_out(control: str) -> None:
    text = f"a{control}b"
    assert not is_plain(text)
    written = without_controls(text)
    assert control not in written and written.startswith("a\\") and written.endswith("b")


def test_line_ends_stay_in_text_and_not_in_a_sentence() -> None:
    assert without_controls("a\n\tb") == "a\n\tb"
    assert one_line("a\nb") == "a\\nb" and not is_plain("a\nb")
