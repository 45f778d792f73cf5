"""Small clips made on the spot, and ways to damage them."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (48, 64)
"""(H, W) of the clips in pixels."""


def picture(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Frame ``index``: a grey level that tells frames apart, red at the top left, blue at the top right."""
    image = np.full((*size, 3), 40 + 5 * index, np.uint8)
    image[: size[0] // 3, : size[1] // 3] = (230, 20, 20)
    image[: size[0] // 3, -size[1] // 3 :] = (20, 20, 230)
    return image


def make_clip(
    path: Path,
    count: int = 20,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: list[float] | None = None,
    index_first: bool = True,
) -> Path:
    """Write ``count`` frames at 25 a second, or at ``times`` seconds."""
    options = {"movflags": "faststart"} if index_first and path.suffix in (".mp4", ".mov") else {}
    tick = Fraction(1, 1000)
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *SIZE, pixels
        stream.options = {"g": "10"} if codec == "libx264" else {}
        stream.codec_context.thread_count = 3  # some encoders cut pictures into a slice per thread
        if times is not None:
            stream.time_base = stream.codec_context.time_base = tick
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[index] / tick), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def grey_of(image: np.ndarray) -> float:
    """The grey level of a picture's lower half; rises by 5 a frame."""
    return float(image[image.shape[0] // 2 :].mean())


def damage_packet(path: Path, which: int, *, keep: int = 0) -> float:
    """Overwrite packet ``which`` (in file order) with zeros from byte ``keep`` on; returns its time."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        packet = packets[which]
        begin, size, time = packet.pos, packet.size, float(packet.pts * packet.time_base)
    data = bytearray(path.read_bytes())
    data[begin + keep : begin + size] = bytes(size - keep)
    path.write_bytes(data)
    return time


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Write a turn into an mp4's track header, the way a phone does."""
    data = bytearray(path.read_bytes())
    begin = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # version and flags, times and ids, reserved, layer ...
    one = 1 << 16
    data[begin : begin + 36] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
