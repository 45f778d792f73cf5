"""Video files through PyAV: every frame with its own time, turned as shown, damage reported."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from limpet.errors import VideoError
from limpet.video.base import ASSUMED_RATE, Frame, VideoReader
from limpet.video.diagnosis import not_a_video
from limpet.video.orientation import Orientation, from_display_matrix
from limpet.video.slots import FrameSlots

_TEXT_FORMATS = {"tty"}  # FFmpeg draws any .txt file as a video of a terminal
_BT709 = 1
_CUT_OFF_FRAMES = 2
_CUT_OFF_SECONDS = 0.5
"""A file counts as cut off when more than this is missing at its end: counts and durations are rounded up."""


class PyAVReader(VideoReader):
    """A video file through FFmpeg.

    Attributes:
        packet_count: how many pictures the file says it holds, shown or not; None where it does not.
        seconds: how long it says it is, or None.

    Raises:
        VideoError: when it is no video, has no video track, or not one frame can be decoded.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with _open(path) as container:
            stream = _video_stream(container, path)
            self.frame_rate = stream.average_rate or stream.guessed_rate or None
            self.seconds = _duration(container, stream)
            self.packet_count = stream.frames or None
            self.frame_count = stream.frames or self._estimate()
        for frame in self._frames():
            if frame.image is not None:
                self.size = (frame.image.shape[0], frame.image.shape[1])
                break
        else:
            raise VideoError(f"{path} holds no frame that can be decoded; is the file complete?")
        self.failures.clear()

    def _estimate(self) -> int | None:
        return round(self.seconds * self.frame_rate) if self.seconds and self.frame_rate else None

    def _frames(self) -> Generator[Frame, None, None]:
        with _open(self.path) as container:
            yield from _Decoding(self, _video_stream(container, self.path)).frames(container)


class _Decoding:
    """One pass over the stream: numbers the frames, fills holes, keeps the times."""

    def __init__(self, reader: PyAVReader, stream: VideoStream) -> None:
        self._reader, self._stream = reader, stream
        # Frame threads report an error with a later packet and lose frames that wait behind it.
        stream.thread_type = "SLICE"
        self._step = float(1 / (reader.frame_rate or ASSUMED_RATE))
        self._slots = FrameSlots()
        self._cut_packet: int | None = None
        self._orientation: Orientation | None = None
        self._origin: float | None = None
        self._next, self._last_time = 0, -self._step
        self._packets_seen, self._packets_end = 0, 0.0

    def frames(self, container: InputContainer) -> Generator[Frame, None, None]:
        for packet in self._packets(container):
            if packet is not None and packet.size:
                self._expect(packet)
            try:
                decoded = self._stream.decode(packet)
            except FFmpegError:
                if packet is not None:
                    yield from self._failed(packet)
                continue
            for raw in decoded:
                yield from self._delivered(raw)
        yield from self._end()

    def _expect(self, packet: av.Packet[Any]) -> None:
        self._packets_seen += 1
        if packet.pts is None:
            return
        self._packets_end = max(self._packets_end, self._seconds(packet.pts + (packet.duration or 0)))
        if not packet.is_discard:  # a video that was trimmed keeps packets from before its beginning
            self._slots.expect(packet.pts)

    def _packets(self, container: InputContainer) -> Iterator[av.Packet[Any] | None]:
        """All packets, then an empty one (or None), which makes the decoder give what it still holds."""
        try:
            yield from container.demux(self._stream)
        except FFmpegError as error:
            self._reader.failures.append(f"reading stopped after {self._next} frames: {error.strerror}")
            yield None

    def _failed(self, packet: av.Packet[Any]) -> Iterator[Frame]:
        if packet.pts is None:
            yield self._lost(self._last_time + self._step)
            return
        self._slots.fail(packet.pts)
        if packet.is_corrupt:
            self._cut_packet = packet.pts

    def _delivered(self, raw: VideoFrame) -> Iterator[Frame]:
        if raw.pts is not None:
            for pts in self._slots.deliver(raw.pts, raw.key_frame):
                yield self._lost(self._seconds(pts))
        time = self._seconds(raw.pts) if raw.pts is not None else self._last_time + self._step
        if raw.is_corrupt:
            self._reader.failures.append(
                f"frame {self._next} is damaged; shown as far as it could be decoded"
            )
        yield self._frame(self._image(raw), time)

    def _lost(self, time: float) -> Frame:
        self._reader.failures.append(f"frame {self._next} could not be decoded: damaged data")
        return self._frame(None, time)

    def _end(self) -> Iterator[Frame]:
        lost = self._slots.rest()
        # A last packet that is only partly in the file is where it was cut off, not a frame.
        for pts in lost:
            if pts != self._cut_packet:
                yield self._lost(self._seconds(pts))
        if self._is_cut_off():
            expected = self._reader.frame_count
            self._reader.failures.append(
                f"the video ends after {self._next} of about {expected} frames: the file is cut off or "
                "damaged"
            )

    def _is_cut_off(self) -> bool:
        """Whether packets are missing at the end.

        Where the file says how many there are, they are counted. Elsewhere only its length in seconds is known: at a
        variable rate the number of frames follows from nothing.
        """
        if self._reader.packet_count is not None:
            return self._reader.packet_count - self._packets_seen > _CUT_OFF_FRAMES
        slack = max(_CUT_OFF_SECONDS, _CUT_OFF_FRAMES * self._step)
        return self._reader.seconds is not None and self._reader.seconds - self._packets_end > slack

    def _frame(self, image: NDArray[np.uint8] | None, time: float) -> Frame:
        if self._origin is None:
            self._origin = time
        shown = max(time - self._origin, self._last_time)
        frame = Frame(self._next, image, shown)
        self._next, self._last_time = self._next + 1, shown
        return frame

    def _seconds(self, pts: int) -> float:
        return float(pts * (self._stream.time_base or Fraction(1, 1)))

    def _image(self, raw: VideoFrame) -> NDArray[np.uint8]:
        if self._orientation is None:
            # Once only: a frame that was asked for its side data refers to itself and stays until Python's
            # cycle collector comes by, which took 100 MB a minute.
            self._orientation = _orientation(raw)
        orientation = self._orientation
        expected = self._reader.size
        if orientation.transposed:
            expected = (expected[1], expected[0])
        if expected != (0, 0) and (raw.height, raw.width) != expected:
            self._reader.failures.append(
                f"frame {self._next} is {raw.height}x{raw.width} in a video of "
                f"{expected[0]}x{expected[1]}; resized"
            )
            raw = raw.reformat(width=expected[1], height=expected[0])
        return orientation.apply(_rgb(raw))


def _rgb(raw: VideoFrame) -> NDArray[np.uint8]:
    if raw.colorspace == _BT709:
        # PyAV before 17 takes every video for BT.601 unless two different spaces are named, which shifts the
        # colours of HD footage; for an RGB result the second one has no meaning.
        raw = raw.reformat(format="rgb24", src_colorspace="ITU709", dst_colorspace="ITU601")
    return np.asarray(raw.to_ndarray(format="rgb24"), np.uint8)


def _open(path: Path) -> InputContainer:
    try:
        # Only this file: a playlist or a reference inside it must not reach out to the network.
        container = av.open(
            str(path.absolute()), options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except PermissionError:
        raise
    except FFmpegError as error:
        raise not_a_video(path) from error
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise not_a_video(path)
    return container


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    # The cover art of a sound file is no video; PyAV 14.0 does not tell it apart.
    cover_art = getattr(getattr(av.stream, "Disposition", None), "attached_pic", 0)
    for stream in container.streams.video:
        if not (cover_art and stream.disposition & cover_art):
            return stream
    raise VideoError(f"{path} has no video track (only sound or data); expected a video")


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds the picture lasts; the file's own duration only counts where no other track can be longer."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def _orientation(raw: VideoFrame) -> Orientation:
    side_data: Any = raw.side_data
    matrix = side_data.get(SideDataType.DISPLAYMATRIX)
    return from_display_matrix(bytes(matrix)) if matrix is not None else Orientation()
