"""Writing an h264 video: any frame size, the input's own time stamps, readable even when it is cut off."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.video.base import ASSUMED_RATE

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

MAX_SIDE = 1920
"""Longer pictures are reduced to this: every player's hardware decodes it."""
_ENCODERS = {  # the first that this FFmpeg has, with its settings
    "libx264": {"preset": "veryfast", "crf": "20"},
    "libopenh264": {},
    "h264_videotoolbox": {},
}
_GROUP_SECONDS = 1  # a key frame, and so a readable fragment, at least this often
_FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "flush_packets": "1"}
_BT709 = 1


class EncoderMissingError(Exception):
    """No h264 encoder is installed; the message says what to install."""


class H264Writer:
    """An mp4 that grows frame by frame: yuv420p, sides padded to even, at most ``MAX_SIDE`` long.

    The file is fragmented, so it plays up to the last second even if the process is killed or the disk is
    full; ``defragment`` makes an ordinary mp4 of it, which more players can search in.

    Args:
        path: where to write; the caller moves it to its final name.
        size: (H, W) of the frames in pixels.
        frame_rate: what the time stamps are counted in; frames may lie at any time (variable rates are kept).

    Raises:
        EncoderMissingError: when PyAV or an h264 encoder is absent.
        OSError: when the file cannot be written.
    """

    def __init__(self, path: Path, size: tuple[int, int], frame_rate: Fraction | None = None) -> None:
        name, options = _find_encoder()
        rate = frame_rate or ASSUMED_RATE
        self._shape = _reduced(size)
        self._last_pts = -1
        # Whole ticks per frame at a constant rate, and at least 10,000 a second for any other time stamp.
        self._tick = 1 / (Fraction(rate.numerator) * -(-10_000 // rate.numerator))
        self._default_ticks = int(1 / rate / self._tick)
        group = {"g": str(max(1, round(rate * _GROUP_SECONDS)))}
        self._container, self._stream = self._open(path, name, options | group, rate)

    def _open(
        self, path: Path, name: str, options: dict[str, str], rate: Fraction
    ) -> tuple[OutputContainer, VideoStream]:
        import av

        container = av.open(str(path), "w", format="mp4", options=_FRAGMENTED)
        try:
            stream = self._stream_of(container, name, options, rate)
            container.start_encoding()
        except BaseException:
            container.close()
            raise
        return container, stream

    def _stream_of(
        self, container: OutputContainer, name: str, options: dict[str, str], rate: Fraction
    ) -> Any:
        stream: Any = container.add_stream(name, rate=rate)
        stream.height, stream.width = (side + side % 2 for side in self._shape)
        stream.pix_fmt = "yuv420p"
        stream.options = options
        context = stream.codec_context
        context.time_base = stream.time_base = self._tick
        context.thread_count = 4  # each thread holds a frame; more do not help at these sizes
        context.colorspace = context.color_primaries = context.color_trc = context.color_range = _BT709
        return stream

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        """Add ``image`` uint8 (H, W, 3) RGB, shown at ``time`` seconds (made to grow if need be)."""
        import av

        frame = av.VideoFrame.from_ndarray(self._prepared(image), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts = max(round(time / self._tick), self._last_pts + 1)
        frame.time_base = self._tick
        with suppress(AttributeError):  # PyAV before 14.1 leaves the last frame's duration to the muxer
            frame.duration = self._default_ticks
        self._last_pts = frame.pts
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what the encoder still holds and end the file.

        Raises:
            OSError: when that fails; what was written before stays readable.
        """
        try:
            self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()

    def _prepared(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = self._shape
        if image.shape[:2] != self._shape:
            image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        return np.ascontiguousarray(image)


def defragment(source: Path, target: Path) -> None:
    """Copy the video of ``source`` into an ordinary mp4 with its index in front; nothing is encoded again.

    Raises:
        OSError: when ``target`` cannot be written.
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


def _find_encoder() -> tuple[str, dict[str, str]]:
    try:
        import av
    except ImportError:
        raise EncoderMissingError("PyAV is not installed; install it with: pip install av") from None
    for name, options in _ENCODERS.items():
        with suppress(av.codec.codec.UnknownCodecError):
            av.codec.Codec(name, "w")
            return name, options
    raise EncoderMissingError(
        "this PyAV has no h264 encoder; install the wheel: pip install --force-reinstall av"
    )
