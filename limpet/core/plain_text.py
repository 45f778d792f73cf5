"""Text of others in a terminal: control characters could move the cursor, hide words or set the window's title."""

from __future__ import annotations

import re

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # those of ASCII and Latin-1, but for tabs and line ends
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # which turn the direction of writing around
    "\ud800-\udfff]"  # halves of pairs, which no encoding can write
)


def is_plain(text: str) -> bool:
    """Whether a text holds no control characters, line ends among them.

    >>> is_plain("ein Häschen"), is_plain("\\x1b[2J"), is_plain("two\\nlines")
    (True, False, False)
    """
    return not _CONTROL.search(text) and "\n" not in text


def one_line(text: str) -> str:
    """As ``without_controls``, and line ends are written out too: a name can not add a line of its own.

    >>> one_line("dog.mp4\\nnote: all is well")
    'dog.mp4\\\\nnote: all is well'
    """
    return without_controls(text).replace("\n", "\\n")


def without_controls(text: str) -> str:
    """A text in which control characters are written out; tabs and line ends stay.

    >>> without_controls("dog\\x1b]0;title\\x07.mp4")
    'dog\\\\x1b]0;title\\\\x07.mp4'
    """
    return _CONTROL.sub(lambda found: ascii(found.group())[1:-1], text)
