"""Reads video files with PyAV: every frame with its time stamp and rotation; damage is reported; seeking is exact."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from limpet.core.errors import VideoError
from limpet.video.container_size import missing_bytes
from limpet.video.packet_index import EntryPoint, PacketIndex, index_packets
from limpet.video.pyav_decoding import Decoding, FFmpegReader, video_track
from limpet.video.video_reader import Frame, not_a_video

_TEXT_FORMATS = {"tty"}  # FFmpeg renders any .txt file as a video of a terminal

_NOTED = 16
"""Of videos that consist of key frames, only every 16th is remembered."""


class PyAVReader(FFmpegReader):
    """A video file through FFmpeg.

    The first ``frames_from`` reads through the file once without decoding to make an index of its frames, which the
    reader keeps (17 bytes per frame).

    Raises:
        VideoError: it is not a video, has no video track, or no frame can be decoded.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._packets: PacketIndex | None = None
        self._looked_for_packets = False
        self.missing_bytes = missing_bytes(path)
        self._key_frames: dict[int, int] = {}
        with _open(path) as container:
            stream = video_track(container, path)
            self._read_headers(container, stream)
            decoding = Decoding(self, stream)
            for frame in decoding.frames(container):
                if frame.image is not None:
                    self.size = (frame.image.shape[0], frame.image.shape[1])
                    break
            else:
                raise VideoError(
                    f"{path} contains no frame that can be decoded; check that the file is complete"
                )
        self._first_pts, self._delay = decoding.first_pts, decoding.packets_seen - 1
        self.failures.clear()

    def note_key_frame(self, pts: int, index: int) -> None:
        last = next(reversed(self._key_frames.values()), -_NOTED)
        if index >= last + _NOTED:
            self._key_frames[pts] = index

    def _frames(self) -> Generator[Frame, None, None]:
        return self._decoded(0)

    def _frames_from(self, index: int) -> Generator[Frame, None, None]:
        following = index
        for nearest in (True, False) if self.nearest_seek else (False,):
            try:
                for frame in self._sought(following, nearest):
                    following = frame.index + 1
                    yield frame
                return
            except SeekUncertainError:  # the frames so far are correct
                continue
        yield from self._decoded(following)

    def prepare_seeking(self) -> None:
        if not self._looked_for_packets:
            with _open(self.path) as container:
                stream = video_track(container, self.path)
                self._packets = index_packets(container, stream, self._first_pts, self._delay)
            self._looked_for_packets = True

    def _decoded(self, first: int) -> Generator[Frame, None, None]:
        with _open(self.path) as container:
            yield from Decoding(self, video_track(container, self.path), first).frames(container)

    def known_length(self) -> int | None:
        packets = self._packets
        return len(packets.shown) if packets is not None and packets.reliable else None

    def _sought(self, index: int, nearest: bool) -> Iterator[Frame]:
        """The frames from ``index`` on, decoded from an entry point before. Raises SeekUncertainError."""
        self.prepare_seeking()
        packets = self._packets
        entry = packets.entry_before(index, self._key_frames, nearest) if packets is not None else None
        if packets is None or entry is None:
            raise SeekUncertainError
        with _open(self.path) as container:
            stream = video_track(container, self.path)
            decoding = QuickDecoding if nearest else SeekedDecoding
            yield from decoding(self, stream, packets, entry, index).frames(container)


def _open(path: Path) -> InputContainer:
    try:
        # Only this file: a playlist or a reference inside it must not open the network.
        container = av.open(
            str(path.absolute()), options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except PermissionError as error:
        if os.access(path, os.R_OK):  # a list that names files elsewhere, which FFmpeg refuses to open
            raise not_a_video(path) from error
        raise
    except FFmpegError as error:
        raise not_a_video(path) from error
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise not_a_video(path)
    return container


class SeekUncertainError(Exception):
    """The next frame can only be found by decoding from the start. All frames before it are correct."""


class SeekedDecoding(Decoding):
    """One pass from an entry point on.

    Every packet must be the one in the index, and every frame must be complete and in order. Damage is not handled
    here: what a decoder makes of it can depend on everything before.

    Args:
        index: of the file.
        entry: where to begin.
        first: the first frame to yield, the entry point's own or a later one.

    Raises:
        SeekUncertainError: while iterating.
    """

    def __init__(
        self, reader: FFmpegReader, stream: VideoStream, index: PacketIndex, entry: EntryPoint, first: int
    ) -> None:
        super().__init__(reader, stream, first)
        self._index, self._entry = index, entry
        self._next, origin = entry.frame, self._seconds(index.shown[0])
        before = self._seconds(index.shown[entry.frame - 1]) - origin if entry.frame else None
        self._clock.begin(origin, before)
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
                    # It depends on frames before the entry point, and is displayed before it.
                    if index.packets[place - 1] < entry.pts:
                        self.packets_seen += 1
                        continue
                yield packet
        except FFmpegError as error:
            raise SeekUncertainError from error
        if place != len(index.packets):
            raise SeekUncertainError

    def _compare(self, packet: av.Packet[Any], place: int) -> None:
        index = self._index
        known = place < len(index.packets) and (index.packets[place], index.sizes[place])
        if (packet.pts, packet.size) != known or packet.is_corrupt:
            raise SeekUncertainError

    def _failed(self, packet: av.Packet[Any], error: FFmpegError) -> NoReturn:
        raise SeekUncertainError from error

    def _delivered(self, raw: VideoFrame) -> Iterator[Frame]:
        shown = self._index.shown
        if raw.is_corrupt or self._next >= len(shown) or raw.pts != shown[self._next]:
            raise SeekUncertainError
        return super()._delivered(raw)

    def _end(self) -> Iterator[Frame]:
        if self._next != len(self._index.shown):
            raise SeekUncertainError
        return super()._end()


class QuickDecoding(SeekedDecoding):
    """The same for a quick look: with two threads, and on the way to ``first`` only what other pictures refer to."""

    def __init__(
        self, reader: FFmpegReader, stream: VideoStream, index: PacketIndex, entry: EntryPoint, first: int
    ) -> None:
        super().__init__(reader, stream, index, entry, first)
        self._wanted = index.shown[first] if first < len(index.shown) else index.end
        stream.thread_type, stream.codec_context.thread_count = "AUTO", 2
        if (
            stream.codec_context.name == "h264"
        ):  # in others, such a picture may be referred to in another layer
            stream.codec_context.skip_frame = "NONREF"

    def _packets(self, container: InputContainer) -> Iterator[av.Packet[Any] | None]:
        for packet in super()._packets(container):
            if packet is None or packet.pts is None or packet.pts >= self._wanted:
                self._stream.codec_context.skip_frame = "DEFAULT"
            yield packet

    def _delivered(self, raw: VideoFrame) -> Iterator[Frame]:
        shown = self._index.shown
        place = bisect_left(shown, raw.pts or 0)
        if raw.pts is None or place < self._next or raw.is_corrupt:
            raise SeekUncertainError
        if place <= self._first and self._next < place:  # those between were not decoded
            self._next, origin = place, self._clock.origin or 0.0
            self._clock.begin(origin, self._seconds(shown[place - 1]) - origin)
        return super()._delivered(raw)
