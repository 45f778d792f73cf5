"""Videos with an alpha channel, one per object, for editors: straight alpha, colours of the video or white.

Straight (not premultiplied) means that the colours are those of the whole frame, also where the alpha is 0.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from limpet.core.errors import MaskError, OutputError
from limpet.core.limits import limits
from limpet.exchange.coco_rle import compress, decompress, mask_counts
from limpet.exchange.frame_times import FrameTimes
from limpet.exchange.label_painter import LabelPainter
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence
from limpet.exchange.object_files import (
    ObjectFiles,
    file_names,
    object_of,
    read_manifest,
    write_manifest,
)
from limpet.exchange.options import ConversionOptions
from limpet.exchange.spool import MaskSpool
from limpet.exchange.untrusted import check_frame_size
from limpet.video.open import open_video
from limpet.video.video_reader import ASSUMED_RATE

_AT_ONCE = 4
"""Objects whose videos are written in one pass; each encoder holds some frames."""
_OPAQUE = 128
_BT709, _RGB, _LIMITED, _FULL = 1, 0, 1, 2
_KEY_HEADER, _ADDED_ID = 9, 8
"""Bytes of a VP9 key frame's header up to its size, and of the number before what Matroska adds to a packet."""


@dataclass(frozen=True)
class AlphaCodec:
    """encoder: FFmpeg's name. pixels: its pixel format. container, suffix: of the file. options: of the encoder."""

    encoder: str
    pixels: str
    container: str
    suffix: str
    options: dict[str, str]

    @property
    def is_rgb(self) -> bool:
        """Whether it keeps RGB as it is, so that masks and colours are exact."""
        return not self.pixels.startswith("yuv")


CODECS = {
    "prores": AlphaCodec(
        "prores_ks", "yuva444p10le", "mov", ".mov", {"profile": "4444", "vendor": "apl0", "alpha_bits": "16"}
    ),
    "vp9": AlphaCodec(
        "libvpx-vp9",
        "yuva420p",
        "webm",
        ".webm",
        {"crf": "16", "b": "0", "auto-alt-ref": "0", "cpu-used": "4"},
    ),
    "qtrle": AlphaCodec("qtrle", "argb", "mov", ".mov", {}),
    "ffv1": AlphaCodec("ffv1", "bgra", "matroska", ".mkv", {"level": "3", "slicecrc": "1"}),
    "png": AlphaCodec("png", "rgba", "mov", ".mov", {}),
}
"""By the variant of the format."""


def write(sequence: MaskSequence, out: Path, options: ConversionOptions) -> None:
    """Write a video per object into ``out``, and objects.json; a few objects in each pass over the frames.

    Raises:
        OutputError: this PyAV has no such encoder. MaskError, VideoError: ``options.video`` cannot be used.
    """
    codec = CODECS[options.variant]
    files = file_names(sequence, codec.suffix)
    times: array[float] = array("d")
    for group in _groups(sequence):
        with ExitStack() as stack:
            writers = {
                i: stack.enter_context(_Writer(out / files[i], codec, sequence, sequence.names[i]))
                for i in group
            }
            all_times = FrameTimes(sequence)
            for labels, colours, time in _frames(sequence, options.video, all_times):
                for number, writer in writers.items():
                    writer.add(colours, labels == number, time)
            times = all_times.times
    write_manifest(out, sequence, files, times)
    if codec.encoder == "libvpx-vp9":
        sequence.note(
            "VP9 blurs alpha a little: masks come back with the pixels that are at least half opaque"
        )
    if options.video is None:
        sequence.note("the videos are white with alpha; name the video (--video) to see its pictures in them")


def _groups(sequence: MaskSequence) -> list[tuple[int, ...]]:
    ids = tuple(sequence.names)
    return [ids[k : k + _AT_ONCE] for k in range(0, len(ids), _AT_ONCE)]


def _frames(
    sequence: MaskSequence, video: Path | None, times: FrameTimes
) -> Iterator[tuple[NDArray[Any], NDArray[np.uint8], float]]:
    """Labels, colours uint8 (H, W, 3) and time of each frame of the video; frames without masks are transparent."""
    white = np.full((*sequence.size, 3), 255, np.uint8)
    empty = np.zeros(sequence.size, np.uint8)
    pictures = _pictures(video, sequence.size) if video is not None else itertools.repeat(white)
    found = iter(sequence)
    following = next(found, None)
    for index in range(limits().frames):
        if following is None and index >= (sequence.frame_count or 0):
            return
        colours = next(pictures, white)
        labels: NDArray[Any] = empty
        if following is not None and following.index == index:
            times.add(following)
            labels, following = following.labels, next(found, None)
        else:
            times.add_gap(index)
        yield labels, colours, times.times[index]


def _pictures(video: Path, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    with open_video(video) as reader:
        if tuple(reader.size) != tuple(size):
            raise MaskError(
                f"{video} is {reader.size[0]}x{reader.size[1]}, but the masks are {size[0]}x{size[1]}; give the video "
                "that the masks belong to"
            )
        last = np.full((*size, 3), 255, np.uint8)
        for frame in reader:
            last = last if frame.image is None else frame.image
            yield last


class _Writer:
    """One video. Use it in ``with``."""

    def __init__(self, path: Path, codec: AlphaCodec, sequence: MaskSequence, title: str) -> None:
        self._codec = codec
        rate = sequence.frame_rate or ASSUMED_RATE
        self._tick = 1 / (Fraction(rate.numerator) * -(-10_000 // rate.numerator))
        self._last = -1
        try:
            self._container: Any = av.open(str(path), "w", format=codec.container)
            stream: Any = self._container.add_stream(codec.encoder, rate=rate)
        except (FFmpegError, ValueError) as error:
            raise OutputError(
                f"this PyAV cannot write {codec.encoder}: {error}; choose another alpha format"
            ) from error
        stream.height, stream.width = sequence.size
        stream.pix_fmt, stream.options = codec.pixels, dict(codec.options)
        context = stream.codec_context
        context.time_base = stream.time_base = self._tick
        context.thread_count = 1
        context.color_primaries = context.color_trc = _BT709
        context.colorspace = _RGB if codec.is_rgb else _BT709
        context.color_range = _FULL if codec.is_rgb else _LIMITED
        if title:
            self._container.metadata["title"] = title
        self._stream = stream

    def add(self, colours: NDArray[np.uint8], mask: NDArray[np.bool_], time: float) -> None:
        """Append a frame: colours (H, W, 3), opaque where ``mask`` (H, W) is True."""
        pixels = np.dstack([colours, mask.astype(np.uint8) * np.uint8(255)])
        frame = av.VideoFrame.from_ndarray(pixels, format="rgba")
        if self._codec.is_rgb:
            frame = frame.reformat(format=self._codec.pixels, threads=1)
        else:
            frame = frame.reformat(
                format=self._codec.pixels, dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
            )
        self._last = frame.pts = max(round(time / self._tick), self._last + 1)
        frame.time_base = self._tick
        self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if error is None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


def read(path: Path, choice: str | None = None) -> MaskSequence:
    """The objects of a folder with objects.json, or the one of a single video; opaque pixels are its mask.

    Raises:
        MaskError: a video is damaged, has no alpha channel, or another size or length than the others.
    """
    if path.is_dir():
        facts = read_manifest(path)
        videos: Sequence[tuple[int, Path]] = [(i, path / name) for i, name in facts.files.items()]
    else:
        number, name = object_of(path.stem)
        size, times, rate = _facts_of(path)
        facts = ObjectFiles(path.name, size, {number: path.name}, {number: name}, times, rate)
        videos = [(number, path)]
    spool = MaskSpool("frame")
    pixels = facts.size[0] * facts.size[1]
    for number, file in videos:
        for index, (alpha, _) in enumerate(_decoded(file)):
            if alpha.shape != facts.size:
                raise MaskError(
                    f"{file} is {alpha.shape[0]}x{alpha.shape[1]}, but {facts.size[0]}x{facts.size[1]} is expected"
                )
            if index >= len(facts.times):
                raise MaskError(f"{file} has more than the {len(facts.times)} frames that it should have")
            spool.put(number, index, compress(mask_counts(alpha >= _OPAQUE)))

    def frames() -> Iterator[MaskFrame]:
        painter = LabelPainter(facts.size, max(facts.names, default=0))
        for index, objects in spool.by_frame():
            for number, text in objects:
                painter.paint_counts(number, decompress(text, pixels))
            yield MaskFrame(index, facts.time(index), painter.finish())
        for notice in painter.notice():
            sequence.note(notice)

    sequence = MaskSequence(facts.video, facts.size, facts.names, frames, len(facts.times), facts.frame_rate)
    return sequence


def _facts_of(path: Path) -> tuple[tuple[int, int], list[float], Fraction | None]:
    size, times = (0, 0), []
    for alpha, time in _decoded(path):
        size = (alpha.shape[0], alpha.shape[1])
        times.append(time)
    if not times:
        raise MaskError(f"{path} has no frame that can be decoded")
    return size, [time - times[0] for time in times], None


def _check_vp9(packet: Any, size: tuple[int, int], path: Path) -> None:
    """Refuse key frames, of colour and of alpha, that state another size: libvpx takes memory for any.

    Raises:
        MaskError: one does, or is not of profile 0 (VP9 bitstream specification, section 6.2), which yuva420p has.
    """
    frames = [bytes(packet), *(bytes(each)[_ADDED_ID:] for each in packet.iter_sidedata())]
    for frame in frames:
        bits = "".join(f"{byte:08b}" for byte in frame[:_KEY_HEADER])
        if (
            len(frame) < _KEY_HEADER or not bits.startswith("10") or bits[4:6] != "00"
        ):  # none, or no key frame
            continue
        stated = int(bits[52:68], 2) + 1, int(bits[36:52], 2) + 1
        if bits[2:4] != "00" or stated != size:
            raise MaskError(
                f"{path} is damaged: a frame states {stated[0]}x{stated[1]} pixels, the video {size[0]}x{size[1]}"
            )


def _decoded(path: Path) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """The alpha uint8 (H, W) of each frame, and its time."""
    try:
        with av.open(
            str(path.absolute()), options={"protocol_whitelist": "file"}, metadata_errors="replace"
        ) as container:
            if not container.streams.video:
                raise MaskError(f"{path} has no video track")
            stream = container.streams.video[0]
            check_frame_size(stream.codec_context.height, stream.codec_context.width, str(path))
            # FFmpeg's own decoder of VP9 drops the alpha.
            vp9 = stream.codec_context.name == "vp9"
            decoder: Any = av.CodecContext.create("libvpx-vp9", "r") if vp9 else stream.codec_context
            decoder.thread_count = 1
            size = stream.codec_context.height, stream.codec_context.width
            for packet in container.demux(stream):
                if vp9:
                    _check_vp9(packet, size, path)
                for frame in decoder.decode(packet):
                    if not any(part.is_alpha for part in frame.format.components):
                        raise MaskError(f"{path} has no alpha channel (its pixels are {frame.format.name})")
                    seconds = float((frame.pts or 0) * (stream.time_base or 0))
                    yield frame.reformat(format="rgba", threads=1).to_ndarray()[..., 3], seconds
    except (OSError, FFmpegError) as error:
        raise MaskError(f"{path} cannot be read as a video with alpha: {error.strerror or error}") from error
