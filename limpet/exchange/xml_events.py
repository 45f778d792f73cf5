"""Reads XML piece by piece: elements as they begin and end, whatever the size of the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO
from xml.parsers import expat

from limpet.core.errors import MaskError

_CHUNK = 1 << 16
_LONGEST_ELEMENT = 1 << 26
"""Bytes of one element's own text, with its attributes."""
_DEEPEST = 64

Event = tuple[str, str, dict[str, str], str]
"""("start", name, attributes, "") or ("end", name, {}, text between its last tag and its end)."""


def xml_events(file: IO[bytes], where: str) -> Iterator[Event]:
    """The elements of an XML file, in order.

    Raises:
        MaskError: it is not valid, is nested too deeply, or defines entities, with which a small file fills a memory.
    """
    reader = _Reader(where)
    idle = 0
    while chunk := file.read(_CHUNK):
        idle += len(chunk)
        reader.feed(chunk)
        if reader.events:
            idle = 0
            yield from reader.take()
        if idle > _LONGEST_ELEMENT:
            raise MaskError(f"{where} has an element of more than {_LONGEST_ELEMENT} bytes; it is damaged")
    reader.feed(b"", last=True)
    yield from reader.take()


class _Reader:
    def __init__(self, where: str) -> None:
        self.events: list[Event] = []
        self._where, self._depth, self._text = where, 0, ""
        parser = self._parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse

    def feed(self, chunk: bytes, last: bool = False) -> None:
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            raise MaskError(f"{self._where} is not valid XML ({error}); export or copy it again") from error

    def take(self) -> list[Event]:
        events, self.events = self.events, []
        return events

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise MaskError(f"{self._where} is nested too deeply to be a file of annotations")
        self._text = ""
        self.events.append(("start", name, attributes, ""))

    def _end(self, name: str) -> None:
        self._depth -= 1
        self.events.append(("end", name, {}, self._text.strip()))
        self._text = ""

    def _characters(self, text: str) -> None:
        self._text += text
        if len(self._text) > _LONGEST_ELEMENT:
            raise MaskError(
                f"{self._where} has a text of more than {_LONGEST_ELEMENT} characters; it is damaged"
            )

    def _refuse(self, *_: object) -> None:
        raise MaskError(
            f"{self._where} declares a document type or entities, which files of annotations never do"
        )
