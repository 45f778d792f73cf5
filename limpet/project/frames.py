"""Frames of a video in any order, with a bounded number of them in memory.

A reader goes from the first frame to the last. Going backwards therefore means: decode a chunk forwards, walk it
backwards, then take the chunk before it. A reader that can begin anywhere says so with a method
``frames_from(index)``; images are opened one by one; any other reader decodes from the start for each chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from limpet.errors import VideoError
from limpet.project.video import image_files
from limpet.video.base import Frame, VideoReader
from limpet.video.image_reader import ImageReader

CHUNK_BYTES = 256 << 20
"""Memory for one chunk of a backward walk: 200 frames of 854 x 480, 10 of 4K."""
_IMAGES_AT_ONCE = 64


class FrameAccess:
    """Random access to a video.

    Args:
        reader: an open one; it stays the caller's to close.
        chunk_bytes: memory for frames while walking backwards.

    Attributes:
        counted: how many frames the video has, once its end was reached; None before.
    """

    def __init__(self, reader: VideoReader, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.reader = reader
        height, width = reader.size
        self.chunk = max(2, chunk_bytes // (height * width * 3))
        self.counted: int | None = None
        self._images = image_files(reader.path) if isinstance(reader, ImageReader) else []

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
        wanted = sorted(set(indices))
        if self._images or hasattr(self.reader, "frames_from"):
            return {index: next(iter(self.forwards(index, index))) for index in wanted}
        found: dict[int, Frame] = {}
        if wanted:
            # One pass for all of them, however far apart.
            found = {f.index: f for f in self.forwards(0, wanted[-1]) if f.index in wanted}
        return found

    def _from(self, first: int) -> Iterator[Frame]:
        if self._images:
            yield from self._images_from(first)
            return
        offered = getattr(self.reader, "frames_from", None)
        count = 0
        for frame in offered(first) if offered is not None else self.reader:
            count = frame.index + 1
            if frame.index >= first:
                yield frame
        self.counted = count or self.counted

    def _images_from(self, first: int) -> Iterator[Frame]:
        total = len(self._images)
        for begin in range(first, total, _IMAGES_AT_ONCE):
            # The reader compares the sizes of what it opens, so a few at a time are enough to wait for.
            part = ImageReader(self.reader.path, self._images[begin : begin + _IMAGES_AT_ONCE])
            for frame in part:
                yield Frame(begin + frame.index, frame.image, frame.time)
        self.counted = total
