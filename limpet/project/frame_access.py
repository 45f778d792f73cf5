"""Frames of a video in any order, with a bounded number of them in memory.

A reader goes forwards, from any frame. To go backwards, a chunk is decoded forwards and read in reverse, and then the
chunk before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from limpet.core.errors import VideoError
from limpet.video.image_reader import ImageReader
from limpet.video.video_reader import Frame, VideoReader

CHUNK_BYTES = 256 << 20
"""Memory for one chunk of a backward walk: 200 frames of 854 x 480, 10 of 4K."""
_NEAR = 64
"""Up to this distance it is faster to read on than to seek."""


class FrameAccess:
    """Random access to a video.

    Args:
        reader: an open reader; the caller closes it.
        chunk_bytes: memory for frames while walking backwards.

    Attributes:
        counted: how many frames the video has; None until its end was reached.
    """

    def __init__(self, reader: VideoReader, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.reader = reader
        height, width = reader.size
        self.chunk = max(2, chunk_bytes // (height * width * 3))
        self.counted: int | None = None

    def forwards(self, first: int, last: int | None) -> Iterator[Frame]:
        """Frames ``first`` to ``last`` (included; None: to the end).

        Raises:
            VideoError: the video ends before ``last``.
        """
        following = first
        for frame in self._from(first):
            if last is not None and frame.index > last:
                return
            yield frame
            following = frame.index + 1
            if frame.index == last:
                return
        if last is not None and following <= last:
            raise VideoError(
                f"{self.reader.name} has no frame {last}: it ends after {self.counted} frames, 0 to "
                f"{(self.counted or 0) - 1}"
            )

    def backwards(self, first: int, last: int) -> Iterator[Frame]:
        """Frames ``last`` down to ``first``; at most ``chunk`` of them are in memory.

        Raises:
            VideoError: the video ends before ``last``.
        """
        while last >= first:
            begin = max(first, last - self.chunk + 1)
            chunk = list(self.forwards(begin, last))
            while chunk:
                yield chunk.pop()
            last = begin - 1

    def walk(self, first: int, last: int | None) -> Iterator[Frame]:
        """From ``first`` to ``last`` in the direction in which that lies (None: forwards to the end)."""
        return self.forwards(first, last) if last is None or last >= first else self.backwards(last, first)

    def at(self, indices: Iterable[int]) -> dict[int, Frame]:
        """Single frames. Raises VideoError when the video has no such frame."""
        found: dict[int, Frame] = {}
        for run in _runs(sorted(set(indices)), 1 if isinstance(self.reader, ImageReader) else _NEAR):
            found |= {frame.index: frame for frame in self.forwards(run[0], run[-1]) if frame.index in run}
        return found

    def _from(self, first: int) -> Iterator[Frame]:
        count = 0
        for frame in self.reader.frames_from(first):
            count = frame.index + 1
            yield frame
        self.counted = count or sum(1 for _ in self.reader)  # it may end before ``first``


def _runs(indices: list[int], near: int) -> list[list[int]]:
    """Sorted indices in groups whose neighbours are at most ``near`` apart."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index - runs[-1][-1] <= near:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs
