"""Reads cameras, network addresses and pipes live: a thread decodes into a short queue."""

from __future__ import annotations

import errno
import threading
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path

from av.container import InputContainer
from av.error import ExitError, FFmpegError

from limpet.core.errors import VideoError
from limpet.video.frame_queue import FrameQueue, OnWait, StreamAccount
from limpet.video.pyav_decoding import Decoding, FFmpegReader, video_track
from limpet.video.sources import TIMEOUT, Source
from limpet.video.video_reader import FailureKind, Frame, ReadFailure

MODES = ("drop", "block")
_ROOM = {"drop": 1, "block": 2}
_MAX_FAILURES = 1000
"""A stream may run for days; further failures are only counted."""


class StreamReader(FFmpegReader):
    """The frames of a source in display order, from the moment it was opened; can be iterated once.

    With ``drop`` only the newest frame is kept: one frame waits, and is replaced when another arrives. ``index`` counts
    the frames that are yielded, without gaps; ``time`` is when each was captured, and ``account`` how many were
    dropped before it. Frames that cannot be decoded are left out and listed in ``failures``. With ``block`` every frame
    is yielded and the source has to wait; only frames that cannot be decoded before the first whole one are left out.

    The first frame is the one that waits when iterating begins; with ``block`` it is the first of the source.

    Args:
        source: the opened source.
        mode: "drop", "block", or None: "drop" for live sources, else "block".
        on_wait: called regularly while no frame arrives; an exception that it raises ends the waiting.

    Raises:
        VideoError: it cannot be opened, is not a video, or ended without a frame.
    """

    def __init__(self, source: Source, mode: str | None = None, on_wait: OnWait | None = None) -> None:
        super().__init__(Path(source.name))
        if mode not in (None, *MODES):
            raise VideoError(f"mode is {mode!r}; expected one of {', '.join(MODES)}")
        mode = mode or ("drop" if source.live else "block")
        self.name = source.name
        self.live = source.live or mode == "drop"
        self.account: StreamAccount = StreamAccount(mode)
        self._source, self._on_wait = source, on_wait
        self._queue = FrameQueue(_ROOM[mode], drop=mode == "drop")
        self._new_failures: deque[ReadFailure] = deque()
        self._begun = False
        self._more_failures = 0
        self._thread = threading.Thread(target=self._read, name=f"reading {self.name}", daemon=True)
        self._thread.start()
        try:
            if self._queue.peek(on_wait) is None:
                raise source.why() or VideoError(f"{self.name} ended without a frame that can be decoded")
        except BaseException:
            self._release()
            raise

    def why_stopped(self, error: FFmpegError) -> str:
        """FFmpeg exits by itself after waiting for ``TIMEOUT``."""
        waited = f"no data came for {TIMEOUT:.0f} s"
        return waited if isinstance(error, ExitError) else super().why_stopped(error)

    def is_normal_end(self, error: FFmpegError, container: InputContainer) -> bool:
        """An answer of HTTP whose length was not stated ends when the server closes the connection."""
        return self._source.ends_when_closed and error.errno == errno.EIO and container.size < 0

    def close(self) -> None:
        """Release the source. A thread that waits for the network ends after ``TIMEOUT`` at the latest."""
        super().close()
        self._release()

    def _begin(self, frames: Generator[Frame, None, None]) -> Iterator[Frame]:
        if self._begun:
            raise VideoError(f"{self.name} is a stream and can be read only once; open it again")
        self._begun, self._running = True, frames
        return frames

    def _frames(self) -> Generator[Frame, None, None]:
        index, origin = 0, None
        try:
            while (arrived := self._queue.take(self._on_wait)) is not None:
                self._report_failures()
                self.account.dropped_before.append(arrived.dropped_before)
                origin = arrived.frame.time if origin is None else origin
                yield Frame(index, arrived.frame.image, arrived.frame.time - origin)
                self.account.latencies.append(self._queue.clock() - arrived.time)
                index += 1
            self._report_failures()
        finally:
            self._release()
            if self._more_failures:
                detail = f"and {self._more_failures} more failures of this kind"
                self.failures.append(ReadFailure(FailureKind.MORE, None, detail))
                self._more_failures = 0

    def _read(self) -> None:
        """The body of the reading thread."""
        try:
            with self._source.open() as container:
                stream = video_track(container, self.name)
                self._read_headers(container, stream)
                for frame in Decoding(self, stream, failures=self._new_failures).frames(container):
                    if not self._offer(frame):
                        break
        except BaseException as error:
            self._queue.end(error)
        else:
            self._queue.end()
        finally:
            self._source.release()

    def _offer(self, frame: Frame) -> bool:
        """Put a frame into the queue. Returns False once the queue is closed."""
        if frame.image is None:
            if self.account.mode == "drop" or self.size == (0, 0):
                return True
        elif self.size == (0, 0):
            self.size = (frame.image.shape[0], frame.image.shape[1])
        return self._queue.put(frame)

    def _report_failures(self) -> None:
        while self._new_failures:
            failure = self._new_failures.popleft()
            if self.account.mode == "drop":  # frames are numbered in the source, not as they are yielded
                failure = failure.labelled("of the source")
            if len(self.failures) < _MAX_FAILURES or not failure.is_of_one_frame:
                self.failures.append(failure)
            else:
                self._more_failures += 1

    def _release(self) -> None:
        self._queue.close()
        self._source.stop()
        self._thread.join(1.0)
