"""Writing an H.264 video: any frame size, the input's own time stamps, playable even when it is cut off."""

from __future__ import annotations

import errno
import io
import zlib
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.video.video_reader import ASSUMED_RATE

if TYPE_CHECKING:
    from av.container import OutputContainer

MAX_SIDE = 1920
"""Longer pictures are reduced to this: every player's hardware decodes it."""
_ENCODERS = {  # the first that this FFmpeg has, with its settings
    "libx264": {"preset": "veryfast", "crf": "20"},
    "libopenh264": {},
    "h264_videotoolbox": {},
}
SEGMENT_FRAMES = 24
"""A segment begins with a key frame, depends on no other segment, and is written once it is closed: about a second."""
_FRAGMENTED = {
    # Each segment is a fragment that states its start time, so segments can be concatenated.
    "movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont+skip_trailer",
    "avoid_negative_ts": "disabled",
    "use_editlist": "0",
}
_BT709 = 1


class EncoderMissingError(Exception):
    """No H.264 encoder is installed; the message says what to install."""


@dataclass(frozen=True)
class EncodedExtent:
    """How much of a growing mp4 is in closed segments; enough to truncate it there and continue.

    frames, nbytes: in these segments. crc32: of the bytes. last_pts: time stamp of the last frame.
    """

    frames: int = 0
    nbytes: int = 0
    crc32: int = 0
    last_pts: int = -1


class H264Writer:
    """An mp4 that grows segment by segment: yuv420p, sides padded to even, at most ``MAX_SIDE`` long.

    The file is fragmented, so it plays up to the last closed segment even if the process is killed or the disk is
    full; ``defragment`` makes an ordinary mp4 of it, in which more players can seek. Each segment of
    ``SEGMENT_FRAMES`` frames has its own encoder, so the bytes are the same whether the file was written in one go or
    truncated after a segment and continued.

    Args:
        path: where to write; the caller moves it to its final name.
        size: (H, W) of the frames in pixels.
        frame_rate: what the time stamps are counted in; frames may lie at any time (variable rates are kept).
        after: continue a file that holds this much; what follows is truncated.
        pixel_aspect: width of a pixel by its height, as players should show it.

    Attributes:
        written: how much is in closed segments.

    Raises:
        EncoderMissingError: PyAV or an H.264 encoder is absent.
        OSError: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        frame_rate: Fraction | None = None,
        after: EncodedExtent | None = None,
        pixel_aspect: Fraction = Fraction(1),
    ) -> None:
        self._codec = find_encoder()
        self._pixel_aspect = pixel_aspect
        self._rate = frame_rate or ASSUMED_RATE
        self._shape = _reduced(size)
        # Whole ticks per frame at a constant rate, and at least 10,000 a second for any other time stamp.
        self._tick = 1 / (Fraction(self._rate.numerator) * -(-10_000 // self._rate.numerator))
        self._segment: _Segment | None = None
        self.written = after or EncodedExtent()
        self._last_pts = self.written.last_pts
        self._file = path.open("wb" if after is None else "r+b", buffering=0)
        if after is not None:
            self._file.truncate(after.nbytes)
            self._file.seek(after.nbytes)

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        """Append ``image`` uint8 (H, W, 3) RGB, shown at ``time`` seconds (moved later where time does not grow)."""
        if self._segment is None:
            self._segment = _Segment(self._codec, self._shape, self._rate, self._tick, self._pixel_aspect)
        self._last_pts = max(round(time / self._tick), self._last_pts + 1)
        self._segment.write(self._prepared(image), self._last_pts)
        if self._segment.frames == SEGMENT_FRAMES:
            self._end_segment(self._segment)

    def close(self) -> None:
        """Write what the encoder still holds and end the file.

        Raises:
            OSError: it fails; what was written before stays readable.
        """
        try:
            if self._segment is not None:
                self._end_segment(self._segment)
        finally:
            self._file.close()

    def _end_segment(self, segment: _Segment) -> None:
        self._segment = None
        data, done = segment.end(with_header=self.written.frames == 0), self.written
        try:
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            with suppress(OSError):
                self._file.truncate(done.nbytes)
            raise
        self.written = EncodedExtent(
            done.frames + segment.frames,
            done.nbytes + len(data),
            zlib.crc32(data, done.crc32),
            self._last_pts,
        )

    def _prepared(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = self._shape
        if image.shape[:2] != self._shape:
            image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        return np.ascontiguousarray(image)


class _Segment:
    """Some frames in an mp4 in memory."""

    def __init__(
        self, codec: str, shape: tuple[int, int], rate: Fraction, tick: Fraction, pixel_aspect: Fraction
    ) -> None:
        import av

        self.frames = 0
        self._tick, self._ticks = tick, int(1 / rate / tick)
        self._memory = io.BytesIO()
        self._container: OutputContainer = av.open(self._memory, "w", format="mp4", options=_FRAGMENTED)
        stream: Any = self._container.add_stream(codec, rate=rate)
        stream.height, stream.width = (side + side % 2 for side in shape)
        stream.pix_fmt = "yuv420p"
        stream.options = _ENCODERS[codec] | {"g": str(SEGMENT_FRAMES)}
        context = stream.codec_context
        if pixel_aspect != 1:
            context.sample_aspect_ratio = pixel_aspect
        context.time_base = stream.time_base = tick
        context.thread_count = 4  # each thread holds a frame; more do not help at these sizes
        context.max_b_frames = 0  # without reordering, segments can be concatenated at any frame rate
        context.colorspace = context.color_primaries = context.color_trc = context.color_range = _BT709
        self._stream = stream

    def write(self, image: NDArray[np.uint8], pts: int) -> None:
        import av

        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = pts, self._tick
        with suppress(AttributeError):  # PyAV before 14.1 leaves the last frame's duration to the muxer
            frame.duration = self._ticks
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def end(self, with_header: bool) -> bytes:
        """Its bytes; without the header, which is the same for all segments, they can be appended to another one."""
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()
        data = self._memory.getvalue()
        return data if with_header else data[_first_box(data, b"moof") :]


def defragment(source: Path, target: Path) -> None:
    """Copy the video of ``source`` into an ordinary mp4 with its index in front; nothing is encoded again.

    Raises:
        OSError: ``target`` cannot be written.
    """
    import av

    with (
        av.open(str(source)) as fragments,
        av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as whole,
    ):
        stream = whole.add_stream_from_template(fragments.streams.video[0], opaque=True)
        for packet in fragments.demux(video=0):
            if packet.dts is not None:  # the last one only ends the stream
                packet.stream = stream
                whole.mux(packet)


def _reduced(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, MAX_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def find_encoder() -> str:
    """Name of the H.264 encoder that will be used.

    Raises:
        EncoderMissingError: there is none; says what to install.
    """
    try:
        import av
    except ImportError:
        raise EncoderMissingError("PyAV is not installed; install it with: pip install av") from None
    for name in _ENCODERS:
        with suppress(av.codec.codec.UnknownCodecError):
            av.codec.Codec(name, "w")
            return name
    raise EncoderMissingError(
        "this PyAV has no H.264 encoder; install the wheel: pip install --force-reinstall av"
    )


def _first_box(data: bytes, kind: bytes) -> int:
    """Offset of the first box of a kind in an mp4; the length if there is none. Boxes begin with size and kind."""
    place = 0
    while place < len(data) and data[place + 4 : place + 8] != kind:
        place += int.from_bytes(data[place : place + 4], "big")
    return place
