"""Decoding that begins in the middle of a file, and stops at the first sign that it is not as from the start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from limpet.video.base import Frame
from limpet.video.packet_index import Entry, PacketIndex
from limpet.video.pyav_decoding import Decoding, FFmpegReader


class DoubtError(Exception):
    """Only decoding from the start tells what comes now. All frames given before this was raised are right."""


class SeekedDecoding(Decoding):
    """One pass from an entry of the table on.

    Every packet must be the one that the table has there, and every frame must come whole and in its turn. Damage
    is not dealt with: what a decoder makes of it can depend on all that it has seen.

    Args:
        index: the table of the file.
        entry: where to begin.
        first: the first frame to give, the entry's own or a later one.

    Raises:
        DoubtError: while iterating.
    """

    def __init__(
        self, reader: FFmpegReader, stream: VideoStream, index: PacketIndex, entry: Entry, first: int
    ) -> None:
        super().__init__(reader, stream, first)
        self._index, self._entry = index, entry
        self._next, self._origin = entry.frame, self._seconds(index.shown[0])
        if entry.frame:
            self._last_time = self._seconds(index.shown[entry.frame - 1]) - self._origin
        self.packets_seen, self._packets_end = entry.position, self._seconds(index.end)

    def _packets(self, container: InputContainer) -> Iterator[av.Packet[Any] | None]:
        entry, index = self._entry, self._index
        place = None
        try:
            container.seek(entry.pts if entry.dts is None else entry.dts, stream=self._stream)
            for packet in container.demux(self._stream):
                if place is None and packet.pts == entry.pts and packet.size == index.sizes[entry.position]:
                    place = entry.position
                if place is None and packet.size:
                    continue
                if place is not None and packet.size:
                    self._compare(packet, place)
                    place += 1
                    if (
                        index.packets[place - 1] < entry.pts
                    ):  # leans on frames before the entry, and is shown before it
                        self.packets_seen += 1
                        continue
                yield packet
        except FFmpegError as error:
            raise DoubtError from error
        if place != len(index.packets):
            raise DoubtError

    def _compare(self, packet: av.Packet[Any], place: int) -> None:
        index = self._index
        known = place < len(index.packets) and (index.packets[place], index.sizes[place])
        if (packet.pts, packet.size) != known or packet.is_corrupt:
            raise DoubtError

    def _failed(self, packet: av.Packet[Any], error: FFmpegError) -> NoReturn:
        raise DoubtError from error

    def _delivered(self, raw: VideoFrame) -> Iterator[Frame]:
        shown = self._index.shown
        if raw.is_corrupt or self._next >= len(shown) or raw.pts != shown[self._next]:
            raise DoubtError
        return super()._delivered(raw)

    def _end(self) -> Iterator[Frame]:
        if self._next != len(self._index.shown):
            raise DoubtError
        return super()._end()
