"""Frames of a video as JPEGs, exact, in any order, and with bounded memory.

One thread decodes. It has a few cursors, each a reader that goes on from where it is; what is asked for last is done
first, one frame at a time, so that a page that jumps does not wait for what it asked for before. On the way to a frame,
all others that are wanted are served too. JPEGs are kept, up to a number of bytes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

import cv2
import numpy as np

from limpet.core.errors import VideoError
from limpet.core.tracker_protocol import Image
from limpet.video.image_reader import ImageReader
from limpet.video.video_reader import Frame, VideoReader

CACHE_BYTES = 128 << 20
QUALITY = 85
_CURSORS = 3
_NEAR = 24
"""Up to this distance reading on is about as fast as seeking."""
_BACK = 32
"""Frames that are decoded at once for a page that goes backwards."""
_FROM_THE_START = 300
"""Frames that can be shown while the index of a file is still being made."""
RGB = -1
"""In place of a height: the frame itself instead of a JPEG."""

Key = tuple[int, int]


@dataclass
class _Cursor:
    """frames: of a reader. following: index of the next one. until: what it was opened for.

    fill: height of the JPEGs that are made of all frames on the way. met: whether any frame was read.
    """

    reader: VideoReader
    frames: Iterator[Frame]
    following: int
    fill: int | None = None
    until: int = 0
    met: bool = False


class FrameServer:
    """Serves the frames of one video.

    Args:
        open_reader: opens the video; called in the thread that makes the index.
        cache_bytes: of JPEGs.

    Attributes:
        counted: how many frames the video has; None until that is certain.
        frame_rate: frames per second; 0 until the video is open, or where it states none.
        opened: set when the video is open, or cannot be opened.
    """

    def __init__(self, open_reader: Callable[[], VideoReader], cache_bytes: int = CACHE_BYTES) -> None:
        self._most = cache_bytes
        self._bytes = 0
        self._jpegs: OrderedDict[Key, bytes] = OrderedDict()
        self._pending: OrderedDict[Key, list[Future[bytes | Image]]] = OrderedDict()
        self._changed = threading.Condition()
        self._cursors: list[_Cursor] = []
        self._reader: VideoReader | None = None
        self._indexed = self._closing = False
        self._broken: Exception = VideoError("the video was closed; open it again")
        self.counted: int | None = None
        self.frame_rate = 0.0
        self.opened = threading.Event()
        self._threads = [
            threading.Thread(target=self._prepare, args=(open_reader,), name="frame-index", daemon=True),
            threading.Thread(target=self._work, name="frames", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def jpeg(self, index: int, height: int | None = None) -> Future[bytes | Image]:
        """A frame as JPEG, at most ``height`` pixels high; the future raises VideoError if there is none."""
        return self._ask((index, height or 0))

    def image(self, index: int) -> Image:
        """A frame, uint8 (H, W, 3) RGB; waits for it. Raises VideoError if there is none."""
        found = self._ask((index, RGB)).result()
        assert not isinstance(found, bytes)
        return found

    def length(self) -> int:
        """How many frames there are; waits until the file was read through. Raises VideoError if it is not certain."""
        with self._changed:
            self._changed.wait_for(lambda: self._indexed or self._closing)
        if self.counted is None:
            raise VideoError("the number of frames is only known when its end was decoded once")
        return self.counted

    def close(self) -> None:
        """Stop; what is waited for fails."""
        with self._changed:
            self._closing = True
            self._fail(list(self._pending), self._broken)
            self._changed.notify_all()

    def _ask(self, key: Key) -> Future[bytes | Image]:
        future: Future[bytes | Image] = Future()
        with self._changed:
            known = self._jpegs.get(key)
            if known is not None:
                self._jpegs.move_to_end(key)
                future.set_result(known)
            elif self._closing or (self._indexed and self._reader is None):
                future.set_exception(self._broken)
            elif key[0] < 0 or (self.counted is not None and key[0] >= self.counted):
                future.set_exception(self._past_the_end(key[0]))
            else:
                self._pending.setdefault(key, []).append(future)
                self._pending.move_to_end(key)
                self._changed.notify_all()
        return future

    def _prepare(self, open_reader: Callable[[], VideoReader]) -> None:
        try:
            reader = open_reader()
            reader.nearest_seek = True
            with self._changed:
                self._reader, self.frame_rate = reader, float(reader.frame_rate or 0)
                self._changed.notify_all()
            self.opened.set()
            reader.prepare_seeking()
            self.counted = reader.known_length()
        except Exception as error:
            with self._changed:
                self._broken = error
                self._fail(list(self._pending), error)
        self.opened.set()
        with self._changed:
            self._indexed = True
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                key = self._next_key()
                while key is None and not self._closing:
                    self._changed.wait()
                    key = self._next_key()
                if self._closing:
                    break
            assert key is not None
            try:
                self._advance(key)
            except Exception as error:
                with self._changed:
                    self._fail([key], error)
        for cursor in self._cursors:
            cursor.reader.close()

    def _next_key(self) -> Key | None:
        """The latest request that is still waited for and can be served."""
        for key in reversed(list(self._pending)):
            if not self._is_awaited(key):
                del self._pending[key]
            elif self._indexed or (self._reader is not None and key[0] < _FROM_THE_START):
                return key
        return None

    def _is_awaited(self, key: Key) -> bool:
        return not all(future.cancelled() for future in self._pending[key])

    def _advance(self, key: Key) -> None:
        """One frame farther on the way to a request."""
        cursor = self._cursor_for(key)
        frame = next(cursor.frames, None)
        if frame is None:
            self._end(cursor)
            return
        cursor.following, cursor.met = frame.index + 1, True
        with self._changed:
            wanted = {each for each in self._pending if each[0] == frame.index}
        if cursor.fill is not None and frame.index <= cursor.until:
            wanted.add((frame.index, cursor.fill))
        for each in wanted:
            self._deliver(each, frame)

    def _cursor_for(self, key: Key) -> _Cursor:
        index, height = key
        near = 1 if isinstance(self._reader, ImageReader) else _NEAR
        fitting = [c for c in self._cursors if c.following <= index <= max(c.until, c.following + near)]
        if fitting:
            best = min(fitting, key=lambda cursor: index - cursor.following)
            self._cursors.remove(best)
            self._cursors.append(best)
            return best
        while len(self._cursors) >= _CURSORS:
            self._cursors.pop(0).reader.close()
        assert self._reader is not None
        reader = self._reader.twin()
        first, fill = self._first_awaited(index - near, index), None
        if height != RGB and (index + 1, height) in self._jpegs:  # a page that goes backwards
            first, fill = max(0, index - _BACK + 1), height
        frames = reader.frames_from(first) if self._indexed else iter(reader)
        cursor = _Cursor(reader, frames, first if self._indexed else 0, fill, index)
        self._cursors.append(cursor)
        return cursor

    def _first_awaited(self, low: int, high: int) -> int:
        """The first frame from ``low`` to ``high`` that is waited for: the later ones are decoded after it anyway."""
        with self._changed:
            return min(
                (key[0] for key in self._pending if low <= key[0] <= high and self._is_awaited(key)),
                default=high,
            )

    def _deliver(self, key: Key, frame: Frame) -> None:
        if frame.image is None:
            with self._changed:
                self._fail([key], VideoError(f"frame {frame.index} of the video could not be decoded"))
            return
        result: bytes | Image = frame.image if key[1] == RGB else _encode(frame.image, key[1])
        with self._changed:
            if isinstance(result, bytes):
                self._keep(key, result)
            for future in self._pending.pop(key, []):
                if future.set_running_or_notify_cancel():
                    future.set_result(result)

    def _keep(self, key: Key, data: bytes) -> None:
        self._bytes += len(data) - len(self._jpegs.pop(key, b""))
        self._jpegs[key] = data
        while self._bytes > self._most and len(self._jpegs) > 1:
            self._bytes -= len(self._jpegs.popitem(last=False)[1])

    def _end(self, cursor: _Cursor) -> None:
        cursor.reader.close()
        self._cursors.remove(cursor)
        with self._changed:
            if self.counted is None:
                self.counted = self._count(cursor)
            for key in [key for key in self._pending if key[0] >= self.counted]:
                self._fail([key], self._past_the_end(key[0]))

    def _count(self, cursor: _Cursor) -> int:
        if cursor.met:
            return cursor.following
        known = cursor.reader.known_length()  # it was opened behind the end
        return sum(1 for _ in cursor.reader.twin()) if known is None else known

    def _past_the_end(self, index: int) -> VideoError:
        return VideoError(f"the video has no frame {index}: it has {self.counted} frames, counted from 0")

    def _fail(self, keys: list[Key], error: Exception) -> None:
        for key in keys:
            for future in self._pending.pop(key, []):
                if future.set_running_or_notify_cancel():
                    future.set_exception(error)


def _encode(image: Image, height: int) -> bytes:
    """JPEG of an RGB image, at most ``height`` pixels high (0: as it is)."""
    if height and image.shape[0] > height:
        width = max(1, round(image.shape[1] * height / image.shape[0]))
        # Averaging over areas takes three times as long, and differs only where a picture becomes much smaller.
        way = cv2.INTER_AREA if image.shape[0] >= 2 * height else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, (width, height), interpolation=way), np.uint8)
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    if not done:
        raise VideoError("the frame could not be written as JPEG")
    return bytes(data)
