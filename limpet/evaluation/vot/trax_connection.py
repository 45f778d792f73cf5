"""TraX, the protocol between VOT's toolkit and a tracker: lines of text, ``@@TRAX:word "argument" "name=value"``.

The tracker says hello. The toolkit then sends a line ``initialize`` for each object and a line ``frame`` with the first
image, and a line ``frame`` for every later one; each of these requests is answered by a line ``state`` for each object,
in the order in which they were given. Lines that do not begin with the mark are the tracker's log. The protocol is
described at https://trax.readthedocs.io; this is its version 4, with masks as regions and paths as images.

There is a library for it (vot-trax), in binary form for few platforms; these lines of text need none.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from limpet.core.errors import DataError
from limpet.core.files import take_stdout

MARK = "@@TRAX:"
VERSION = 4
_ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_FILE = "file://"


@dataclass(frozen=True)
class FrameRequest:
    """A frame to be tracked.

    image: path of the file. objects: regions of the objects to start with, as text; none for a later frame.
    """

    image: Path
    objects: tuple[str, ...] = ()


class TraxConnection:
    """The tracker's end of a connection.

    Args:
        reader, writer: lines from and to the toolkit.
    """

    def __init__(self, reader: TextIO, writer: TextIO) -> None:
        self._reader, self._writer = reader, writer

    def hello(self, name: str) -> None:
        """Say that the tracker ``name`` is ready, and what it takes: paths of images and masks of several objects."""
        facts = {
            "trax.version": str(VERSION),
            "trax.name": name,
            "trax.image": "path;",
            "trax.region": "mask;",
            "trax.channels": "color;",
            "trax.multiobject": "1",
        }
        self._send("hello", (), facts)

    def requests(self) -> Iterator[FrameRequest]:
        """The frames, until the toolkit has no more or is gone.

        Raises:
            DataError: a line of the protocol that is not one of a client.
        """
        objects: list[str] = []
        for line in self._reader:
            word, arguments = parse_message(line)
            if word == "quit":
                return
            if word == "initialize":
                objects += arguments[:1]  # without an argument, it says that the run before is over
            elif word == "frame":
                path = _first(line, arguments).removeprefix(_FILE)
                yield FrameRequest(Path(path), tuple(objects))
                objects.clear()
            elif word is not None:
                raise DataError(f"the toolkit sent {line.strip()[:80]!r}; expected initialize, frame or quit")

    def answer(self, regions: Sequence[str]) -> None:
        """Answer the last request: a region for each object, in the order in which they were given."""
        lines = [_message("state", (f"mask:{region}",)) for region in regions]
        self._writer.write("".join(lines))
        self._writer.flush()

    def quit(self, reason: str = "") -> None:
        """End the connection. reason: why, where it is an error."""
        self._send("quit", (), {"trax.reason": reason} if reason else {})

    def _send(self, word: str, arguments: Sequence[str], properties: Mapping[str, str]) -> None:
        self._writer.write(_message(word, (*arguments, *(f"{k}={v}" for k, v in properties.items()))))
        self._writer.flush()


def toolkit_connection(reader: TextIO) -> TraxConnection:
    """The connection to the toolkit that has started this program.

    It is the port in TRAX_SOCKET where that is set, and ``reader`` (standard input) and standard output otherwise. What
    else is printed goes to standard error from now on.
    """
    writer = take_stdout()
    port = os.environ.get("TRAX_SOCKET")
    if port is None:
        return TraxConnection(reader, writer)
    connection = socket.create_connection(("127.0.0.1", int(port)))
    return TraxConnection(
        connection.makefile("r", encoding="utf-8", newline="\n"),
        connection.makefile("w", encoding="utf-8", newline="\n"),
    )


def parse_message(line: str) -> tuple[str | None, list[str]]:
    r"""The word and the arguments of a line; None for a line that is not of the protocol.

    >>> parse_message('@@TRAX:frame "file:///tmp/a \\"b\\".jpg" "k=v"')
    ('frame', ['file:///tmp/a "b".jpg', 'k=v'])
    >>> parse_message("a warning")
    (None, [])
    """
    if not line.startswith(MARK):
        return None, []
    word, _, rest = line[len(MARK) :].strip().partition(" ")
    return word, [_unescaped(text) for text in _ARGUMENT.findall(rest)]


def _message(word: str, arguments: Sequence[str]) -> str:
    return " ".join([MARK + word, *(f'"{_escaped(argument)}"' for argument in arguments)]) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)


def _first(line: str, arguments: Sequence[str]) -> str:
    if not arguments:
        raise DataError(f"the toolkit sent {line.strip()[:80]!r} without an argument")
    return arguments[0]
