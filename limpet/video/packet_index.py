"""An index of the frames of a file, made from its packets without decoding them; seeking uses it.

Packets determine the frame numbers only if each packet gives one frame. That holds for the containers and codecs listed
here, under conditions that are all checked; any other file has no index and is decoded from its start.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

_ONE_FRAME_A_PACKET = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}
"""Containers whose packets are whole pictures; MPEG-TS and AVI split and time them in various ways."""
_ONLY_KEY_FRAMES = {"mjpeg", "prores", "dnxhd", "png", "rawvideo"}
_MARGIN = 16
"""Least number of frames to decode before the requested one."""
_WINDOW = 64
"""Packets considered for reordering; H.264 reorders by at most 16."""
_IDR = {5}  # H.264, 7.4.1.2.4: nothing after it refers to anything before it
_IRAP = {16, 17, 18, 19, 20, 21}  # H.265, 7.4.2.2: no frame shown after it refers to anything before it


@dataclass(frozen=True)
class EntryPoint:
    """A packet where decoding may begin: all frames from it on are the same as when decoding from the start.

    frame: the number of its frame. position: its index among the packets. pts, dts: its time stamps.
    """

    frame: int
    position: int
    pts: int
    dts: int | None


@dataclass(frozen=True)
class PacketIndex:
    """The frames and packets of a file.

    shown: time stamps of all frames in display order; the position of a frame is its number.
    packets, sizes: time stamp and bytes of every packet, in file order.
    reliable: whether the packets determine the frames. A damaged H.265 file silently loses frames when it is decoded.
    entries: where decoding may begin, in order. end: end of the last packet, in the stream's time base.
    """

    shown: array[int]
    packets: array[int]
    sizes: array[int]
    reliable: bool = True
    entries: list[EntryPoint] = field(default_factory=list)
    end: int = 0

    def entry_before(self, frame: int, seen: Mapping[int, int], nearest: bool = False) -> EntryPoint | None:
        """Where to begin decoding for ``frame``: the last entry point but one, at least ``_MARGIN`` frames before.

        A damaged key frame may depend on frames that were decoded before it. Since it is not the first packet that is
        decoded here, the result is the same as from the start.

        Args:
            frame: the requested frame.
            seen: numbers of the frames that were decoded from the start so far, by time stamp.
            nearest: take the last entry point, for a quick look: in a damaged file the frame may then look different
                from what it is after decoding from the start, and in damaged H.265 it may be another frame.

        Returns:
            None where decoding must begin at the start.
        """
        before = self.entries[: bisect_right(self.entries, frame, key=lambda entry: entry.frame)]
        if any(seen.get(entry.pts, entry.frame) != entry.frame for entry in before):
            return None
        if nearest:
            return before[-1] if before else None
        trusted = before if self.reliable else [entry for entry in before if entry.pts in seen]
        return next((entry for entry in reversed(trusted[:-1]) if entry.frame <= frame - _MARGIN), None)


class _NotIndexableError(Exception):
    """The packets of this file do not determine the numbers of its frames."""


def index_packets(
    container: InputContainer, stream: VideoStream, first_pts: int | None, delay: int
) -> PacketIndex | None:
    """Read through the packets of a file.

    Args:
        container: just opened.
        stream: its video track.
        first_pts: of the first frame that the decoder returns.
        delay: how many packets the decoder takes before that frame.

    Returns:
        The index, or None where frames cannot be numbered without decoding.
    """
    if container.format.name not in _ONE_FRAME_A_PACKET:
        return None
    try:
        index = _read(container, stream)
    except (_NotIndexableError, FFmpegError):
        return None
    if not index.shown or index.shown[0] != first_pts:  # it begins with frames that cannot be decoded
        return None
    # FFmpeg's H.264 decoder may lose a frame where the reordering is deeper than at the start.
    if stream.codec_context.name == "h264" and _reordering(index.packets) > delay:
        return None
    return index


def _read(container: InputContainer, stream: VideoStream) -> PacketIndex:
    packets, sizes, kept = array("q"), array("q"), array("q")
    keys: list[tuple[int, int, int | None]] = []
    inspector = _PacketInspector(stream)
    end = last_hidden = 0
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if packet.pts is None or packet.is_corrupt:
            raise _NotIndexableError
        if packet.is_discard:
            last_hidden = len(packets) + 1
        else:
            inspector.check(packet)
            kept.append(packet.pts)
            if packet.is_keyframe and inspector.is_entry(packet):
                keys.append((len(packets), packet.pts, packet.dts))
        packets.append(packet.pts)
        sizes.append(packet.size)
        end = max(end, packet.pts + (packet.duration or 0))
    shown = array("q", sorted(kept))
    if any(one == other for one, other in pairwise(shown)):
        raise _NotIndexableError
    entries = [
        EntryPoint(bisect_left(shown, pts), at, pts, dts) for at, pts, dts in keys if at >= last_hidden
    ]
    reliable = inspector.codec != "hevc"
    return PacketIndex(shown, packets, sizes, reliable, sorted(entries, key=lambda entry: entry.frame), end)


class _PacketInspector:
    """What the bytes of a packet tell about its picture without decoding it."""

    def __init__(self, stream: VideoStream) -> None:
        self.codec = stream.codec_context.codec.canonical_name
        extra = stream.codec_context.extradata or b""
        place = {"h264": 4, "hevc": 21}.get(self.codec)  # ISO/IEC 14496-15: lengthSizeMinusOne
        self._length = (extra[place] & 3) + 1 if place and len(extra) > place and extra[0] == 1 else 0
        if place and not self._length:
            raise _NotIndexableError
        if self.codec not in {"h264", "hevc", "vp8", "vp9", "av1", *_ONLY_KEY_FRAMES}:
            raise _NotIndexableError

    def check(self, packet: av.Packet[Any]) -> None:
        """Raises where the packet may contain no visible frame: a hidden reference of VP8 or VP9."""
        data = memoryview(packet)
        first, last = data[0], data[-1]
        hidden = (self.codec == "vp8" and not first & 0x10) or (
            # The shown frame of several in one packet (a superframe) comes last; else see 6.2 of VP9.
            self.codec == "vp9" and last >> 5 != 0b110 and not first & 0x0A
        )
        if hidden:
            raise _NotIndexableError

    def is_entry(self, packet: av.Packet[Any]) -> bool:
        """Whether decoding may begin at this key frame."""
        if self.codec == "h264":
            return any(head & 0x1F in _IDR for head in self._units(bytes(packet)))
        if self.codec == "hevc":
            return any(head >> 1 & 0x3F in _IRAP for head in self._units(bytes(packet)))
        # VP8 (RFC 6386, 9.1) and VP9 (6.2) state whether a frame depends on others.
        return not memoryview(packet)[0] & {"vp8": 0x01, "vp9": 0x04}.get(self.codec, 0)

    def _units(self, data: bytes) -> Iterator[int]:
        """The first byte of each NAL unit."""
        at = 0
        while at + self._length < len(data):
            size = int.from_bytes(data[at : at + self._length], "big")
            at += self._length
            yield data[at]
            at += size


def _reordering(packets: array[int]) -> int:
    """The largest number of packets that precede one that is displayed before them."""
    most = 0
    window: list[int] = []
    for pts in packets:
        place = bisect_left(window, pts)
        most = max(most, len(window) - place)
        window.insert(place, pts)
        del window[:-_WINDOW]
    return most
