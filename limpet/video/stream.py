"""A source that is read while it happens: cameras, addresses, pipes. A thread reads, a short queue waits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path

from av.error import ExitError, FFmpegError

from limpet.core.errors import VideoError
from limpet.video.frame_queue import FrameQueue, OnWait, StreamAccount
from limpet.video.pyav_decoding import Decoding, FFmpegReader, video_track
from limpet.video.sources import PATIENCE, Source
from limpet.video.video_reader import FailureKind, Frame, ReadFailure

MODES = ("drop", "block")
_ROOM = {"drop": 1, "block": 2}
_MOST_FAILURES = 1000
"""A stream may go on for days; from here on failures are only counted."""


class StreamReader(FFmpegReader):
    """Frames of a source in the order shown, from when it was opened, once.

    With ``drop`` the newest frame wins: one waits, and goes when another comes. What a frame's ``index`` counts is
    frames given, none left out; ``time`` tells when each was taken, and ``account`` how many were dropped before it.
    Frames that cannot be decoded are left out, and told in ``failures``. With ``block`` every frame comes, and the
    source has to wait; only what cannot be decoded before the first whole frame is left out.

    The first frame is the one that waits when iterating begins: with ``block`` the first of the source.

    Args:
        source: where from.
        mode: "drop", "block" or None: drop where the source is live.
        on_wait: called now and then while nothing comes; what it raises ends the waiting.

    Raises:
        VideoError: it cannot be opened, is no video, or ended without a frame.
    """

    def __init__(self, source: Source, mode: str | None = None, on_wait: OnWait | None = None) -> None:
        super().__init__(Path(source.name))
        if mode not in (None, *MODES):
            raise VideoError(f"a stream is read with one of {', '.join(MODES)}, not {mode}")
        mode = mode or ("drop" if source.live else "block")
        self.name = source.name
        self.live = source.live or mode == "drop"
        self.account: StreamAccount = StreamAccount(mode)
        self._source, self._on_wait = source, on_wait
        self._queue = FrameQueue(_ROOM[mode], drop=mode == "drop")
        self._news: deque[ReadFailure] = deque()
        self._begun = False
        self._more_failures = 0
        self._thread = threading.Thread(target=self._read, name=f"reading {self.name}", daemon=True)
        self._thread.start()
        try:
            if self._queue.peek(on_wait) is None:
                raise source.why() or VideoError(f"{self.name} ended without a frame that can be decoded")
        except BaseException:
            self._let_go()
            raise

    def why_stopped(self, error: FFmpegError) -> str:
        """FFmpeg asks itself to stop when it has waited for ``PATIENCE``."""
        waited = f"nothing came for {PATIENCE:.0f} s"
        return waited if isinstance(error, ExitError) else super().why_stopped(error)

    def close(self) -> None:
        """Let go of the source. A thread that waits for the network ends when that gives up, in ``PATIENCE``."""
        super().close()
        self._let_go()

    def _begin(self, frames: Generator[Frame, None, None]) -> Iterator[Frame]:
        if self._begun:
            raise VideoError(f"{self.name} cannot be read a second time: it is a stream")
        self._begun, self._running = True, frames
        return frames

    def _frames(self) -> Generator[Frame, None, None]:
        index, origin = 0, None
        try:
            while (arrived := self._queue.take(self._on_wait)) is not None:
                self._tell()
                self.account.dropped_before.append(arrived.dropped_before)
                origin = arrived.frame.time if origin is None else origin
                yield Frame(index, arrived.frame.image, arrived.frame.time - origin)
                self.account.latencies.append(self._queue.clock() - arrived.time)
                index += 1
            self._tell()
        finally:
            self._let_go()
            if self._more_failures:
                detail = f"and {self._more_failures} more failures of this kind"
                self.failures.append(ReadFailure(FailureKind.MORE, None, detail))
                self._more_failures = 0

    def _read(self) -> None:
        """What the thread does."""
        try:
            with self._source.open() as container:
                stream = video_track(container, self.name)
                self._learn(container, stream)
                for frame in Decoding(self, stream, failures=self._news).frames(container):
                    if not self._offer(frame):
                        break
        except BaseException as error:
            self._queue.end(error)
        else:
            self._queue.end()
        finally:
            self._source.release()

    def _offer(self, frame: Frame) -> bool:
        """Returns False when nobody wants frames any more."""
        if frame.image is None:
            if self.account.mode == "drop" or self.size == (0, 0):
                return True
        elif self.size == (0, 0):
            self.size = (frame.image.shape[0], frame.image.shape[1])
        return self._queue.put(frame)

    def _tell(self) -> None:
        while self._news:
            failure = self._news.popleft()
            if self.account.mode == "drop":  # their own numbers are those of frames given
                failure = failure.labelled("of the source")
            if len(self.failures) < _MOST_FAILURES or not failure.is_of_one_frame:
                self.failures.append(failure)
            else:
                self._more_failures += 1

    def _let_go(self) -> None:
        self._queue.close()
        self._source.stop()
        self._thread.join(1.0)
