"""One pass of FFmpeg's decoder over a video track: numbers the frames, fills gaps, keeps times, reports damage."""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideDataType
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from limpet.core.errors import VideoError
from limpet.core.limits import frame_sizes, is_frame_size
from limpet.video.frame_clock import FrameClock
from limpet.video.hdr import HDR_NOTICE, is_hdr, tone_mapped
from limpet.video.orientation import Orientation, from_display_matrix, pixel_aspect
from limpet.video.pending_timestamps import PendingTimestamps
from limpet.video.video_reader import ASSUMED_RATE, FailureKind, Frame, ReadFailure, VideoReader

_BT709 = 1
_TS_DISCONT = 0x0200
"""FFmpeg's AVFMT_TS_DISCONT: a format whose time stamps may jump."""
_CUT_OFF_FRAMES = 2
_CUT_OFF_SECONDS = 0.5
"""A file counts as cut off when more than this is missing at its end, since counts and durations are rounded up."""


class FFmpegReader(VideoReader):
    """A reader of a source that FFmpeg decodes.

    Attributes:
        packet_count: how many pictures the headers state, visible or not; None where they do not.
        seconds: the duration in the headers, or None.
        orientation: how pictures are rotated for display; known from the first one on.
        missing_bytes: that the container states beyond the end of the file; None where it does not say.
        clock_may_jump: whether the format allows time stamps to jump.
    """

    packet_count: int | None = None
    seconds: float | None = None
    orientation: Orientation | None = None
    missing_bytes: int | None = None
    clock_may_jump: bool = False

    def note_key_frame(self, pts: int, index: int) -> None:
        """Called when a key frame was decoded; for readers that record them."""

    def is_normal_end(self, error: FFmpegError, container: InputContainer) -> bool:
        """Whether an error while reading is the way in which such a source ends."""
        return False

    def why_stopped(self, error: FFmpegError) -> str:
        """The reason, for a message, why an error ended the reading."""
        return error.strerror or type(error).__name__

    def _read_headers(self, container: InputContainer, stream: VideoStream) -> None:
        """Take frame rate, duration and counts from the headers. Raises VideoError if the pictures are too large."""
        context: VideoCodecContext | None = stream.codec_context  # None for an unknown or damaged codec
        height, width = (0, 0) if context is None else (context.height, context.width)
        if height and width and not is_frame_size(height, width):
            raise VideoError(f"{self.name} has pictures of {height}x{width}; expected {frame_sizes()}")
        self.clock_may_jump = bool(container.format.flags & _TS_DISCONT)
        self.frame_rate = stream.average_rate or stream.guessed_rate or None
        self.seconds = _duration(container, stream)
        self.packet_count = stream.frames or None
        self.frame_count = stream.frames or self._estimate()

    def _estimate(self) -> int | None:
        return round(self.seconds * self.frame_rate) if self.seconds and self.frame_rate else None


class Decoding:
    """One pass over the stream, from its beginning.

    Args:
        reader: of the source; its ``failures`` grow.
        stream: its video track.
        first: frames before this one are decoded and counted, but not converted or yielded.
        failures: grows instead of the reader's own list.
    """

    def __init__(
        self,
        reader: FFmpegReader,
        stream: VideoStream,
        first: int = 0,
        failures: MutableSequence[ReadFailure] | None = None,
    ) -> None:
        self._reader, self._stream, self._first = reader, stream, first
        self._failures = reader.failures if failures is None else failures
        # Frame threads report an error with a later packet and lose the frames queued behind it.
        stream.thread_type = "SLICE"
        self._step = float(1 / (reader.frame_rate or ASSUMED_RATE))
        self._clock = FrameClock(self._step, may_jump=reader.clock_may_jump)
        self._pending = PendingTimestamps()
        self._cut_packet: int | None = None
        self._stopped_by: FFmpegError | None = None
        self._next = 0
        self._packets_end = 0.0
        self.packets_seen = 0
        self.first_pts: int | None = None

    def frames(self, container: InputContainer) -> Iterator[Frame]:
        """Yield the frames, from ``first`` on."""
        for packet in self._packets(container):
            if packet is not None and packet.size:
                self._expect(packet)
            try:
                decoded = self._stream.decode(packet)
            except FFmpegError as error:
                if isinstance(error, MemoryError):  # the data is not damaged
                    raise
                if packet is not None:
                    yield from self._failed(packet, error)
                continue
            for raw in decoded:
                yield from self._delivered(raw)
        yield from self._end()

    def _expect(self, packet: av.Packet[Any]) -> None:
        self.packets_seen += 1
        if packet.pts is None:
            return
        self._packets_end = max(self._packets_end, self._seconds(packet.pts + (packet.duration or 0)))
        if not packet.is_discard:  # a trimmed video keeps packets from before its start
            self._pending.expect(packet.pts)

    def _packets(self, container: InputContainer) -> Iterator[av.Packet[Any] | None]:
        """All packets, then an empty one (or None), which flushes the decoder."""
        try:
            yield from container.demux(self._stream)
        except FFmpegError as error:
            if not self._reader.is_normal_end(error, container):
                self._stopped_by = error
            yield None

    def _failed(self, packet: av.Packet[Any], error: FFmpegError) -> Iterator[Frame]:
        if packet.pts is None:
            yield from self._lost(self._after_last())
            return
        self._pending.fail(packet.pts)
        if packet.is_corrupt:
            self._cut_packet = packet.pts

    def _delivered(self, raw: VideoFrame) -> Iterator[Frame]:
        if raw.pts is not None:
            for pts in self._pending.deliver(raw.pts, raw.key_frame):
                yield from self._lost(self._seconds(pts))
            if raw.key_frame:
                self._reader.note_key_frame(raw.pts, self._next)
        if self.first_pts is None:
            self.first_pts = raw.pts
        time = self._seconds(raw.pts) if raw.pts is not None else self._after_last()
        if raw.is_corrupt:
            self._fail(FailureKind.DAMAGED, "is damaged; shown as far as it could be decoded")
        yield from self._frame(raw, time)

    def _lost(self, time: float) -> Iterator[Frame]:
        self._fail(FailureKind.UNREADABLE, "could not be decoded: damaged data")
        yield from self._frame(None, time)

    def _end(self) -> Iterator[Frame]:
        lost = self._pending.missing_at_end()
        # A last packet that is only partly in the file marks the cut, it is not a frame.
        for pts in lost:
            if pts != self._cut_packet:
                yield from self._lost(self._seconds(pts))
        if self._stopped_by is not None:
            self._fail(FailureKind.STOPPED, self._reader.why_stopped(self._stopped_by))
        if self._is_cut_off():
            expected, missing = self._reader.frame_count, self._reader.missing_bytes
            lacks = f", its last {missing} bytes are missing" if missing else ""
            self._fail(
                FailureKind.CUT_OFF, f"of about {expected} frames: the file is cut off or damaged{lacks}"
            )

    def _fail(self, kind: FailureKind, detail: str) -> None:
        self._failures.append(ReadFailure(kind, self._next, detail))

    def _is_cut_off(self) -> bool:
        """Whether packets are missing at the end.

        Where the container says how long the file is, that decides: packets that an edit list hides are not missing.
        Where the headers state a count, packets are counted. Otherwise only the duration is known: with a variable
        frame rate it does not determine the number of frames.
        """
        if self._reader.missing_bytes is not None and self._reader.packet_count is not None:
            lost = self._cut_packet is not None or self.packets_seen < self._reader.packet_count
            return self._reader.missing_bytes > 0 and lost
        if self._reader.packet_count is not None:
            return self._reader.packet_count - self.packets_seen > _CUT_OFF_FRAMES
        slack = max(_CUT_OFF_SECONDS, _CUT_OFF_FRAMES * self._step)
        if self._reader.missing_bytes:  # what is missing may be an index
            slack = self._step / 2
        return self._reader.seconds is not None and self._reader.seconds - self._packets_end > slack

    def _frame(self, raw: VideoFrame | None, time: float) -> Iterator[Frame]:
        """The next frame, unless it is before the first one to yield."""
        index = self._next
        shown, jump = self._clock.shown_at(time)
        if jump is not None:
            self._fail(
                FailureKind.CLOCK, f"follows a jump of the clock by {jump:.2f} s; one frame step is used"
            )
        if index >= self._first:
            image = self._image(raw) if raw is not None else None
            self._next = index + 1
            yield Frame(index, image, shown)
        else:
            self._next = index + 1
            self._failures.clear()

    def _after_last(self) -> float:
        """The time stamp of a frame that has none."""
        return (self._clock.origin or 0.0) + self._clock.last + self._step

    def _seconds(self, pts: int) -> float:
        return float(pts * (self._stream.time_base or Fraction(1, 1)))

    def _image(self, raw: VideoFrame) -> NDArray[np.uint8]:
        reader = self._reader
        if reader.orientation is None:
            reader.orientation = _orientation(raw)
            reader.pixel_aspect = pixel_aspect(self._stream.sample_aspect_ratio, reader.orientation)
        expected = reader.size
        if reader.orientation.transposed:
            expected = (expected[1], expected[0])
        if expected != (0, 0) and (raw.height, raw.width) != expected:
            found = f"{raw.height}x{raw.width} in a video of {expected[0]}x{expected[1]}"
            self._fail(FailureKind.RESIZED, f"is {found}; resized")
            raw = raw.reformat(width=expected[1], height=expected[0])
        if not is_frame_size(raw.height, raw.width):
            raise VideoError(
                f"{reader.name} has a picture of {raw.height}x{raw.width}; expected {frame_sizes()}"
            )
        if is_hdr(raw):
            if HDR_NOTICE not in reader.notices:
                reader.notices.append(HDR_NOTICE)
            return reader.orientation.apply(tone_mapped(raw))
        return reader.orientation.apply(_rgb(raw))


def video_track(container: InputContainer, name: object) -> VideoStream:
    """The first track that is a video. Raises VideoError when there is none."""
    # The cover art of a sound file is not a video; PyAV 14.0 does not distinguish it.
    cover_art = getattr(getattr(av.stream, "Disposition", None), "attached_pic", 0)
    for stream in container.streams.video:
        if not (cover_art and stream.disposition & cover_art):
            return stream
    raise VideoError(f"{name} has no video track (only sound or data); expected a video")


def _rgb(raw: VideoFrame) -> NDArray[np.uint8]:
    if raw.colorspace == _BT709:
        # PyAV before 17 treats every video as BT.601 unless two different spaces are named, which shifts the
        # colours of HD footage; for an RGB result the second one has no effect.
        raw = raw.reformat(format="rgb24", src_colorspace="ITU709", dst_colorspace="ITU601")
    return np.asarray(raw.to_ndarray(format="rgb24"), np.uint8)


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds of video; the duration of the file is only used where no other track can be longer."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return container.duration / av.time_base
    return None


def _orientation(raw: VideoFrame) -> Orientation:
    # A frame whose side data was read refers to itself and stays until Python's cycle collector runs: one frame
    # per opened video, and 100 MB a minute if every frame were read. So a tiny copy is read.
    side_data: Any = raw.reformat(width=16, height=16, format="gray").side_data
    matrix = side_data.get(SideDataType.DISPLAYMATRIX)
    return from_display_matrix(bytes(matrix)) if matrix is not None else Orientation()
