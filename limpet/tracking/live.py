"""What ``limpet.track`` does in another way when its video is a stream, or ends before its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from limpet.errors import VideoError
from limpet.tracking.interface import AnyState, Mask
from limpet.video.base import Frame, VideoReader
from limpet.video.writer import ResultFolder

Step = tuple[Frame, Mask, AnyState]


@dataclass(frozen=True)
class Limit:
    """Where to end: after so many frames, or before the first frame later than so many seconds; None: at the end.

    Raises:
        VideoError: not even one frame is wanted.
    """

    max_frames: int | None = None
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.max_frames is not None and self.max_frames < 1) or (
            self.max_seconds is not None and not self.max_seconds >= 0
        ):
            raise VideoError("a video is followed for at least 1 frame and 0 seconds")

    def until(self, steps: Iterable[Step[AnyState]]) -> Iterator[Step[AnyState]]:
        """The steps that are wanted; after the last frame that may be it waits for no other."""
        for step in steps:
            if self.max_seconds is not None and step[0].time > self.max_seconds:
                return
            yield step
            if self.max_frames is not None and step[0].index + 1 >= self.max_frames:
                return

    def expected(self, frame_count: int | None) -> int | None:
        """How many frames to expect of a video that has so many."""
        counts = [count for count in (frame_count, self.max_frames) if count is not None]
        return min(counts, default=None)


@contextmanager
def stopping_is_an_end(reader: VideoReader, results: ResultFolder) -> Iterator[None]:
    """A live source has no end of its own: a KeyboardInterrupt after the first frame is one, and no error.

    For any stream the account of what was dropped goes into the results, however it ends.
    """
    try:
        yield
    except KeyboardInterrupt:
        if not reader.live or not results.frames_written:
            raise
    finally:
        if reader.account is not None:
            results.report.info["stream"] = reader.account.as_dict()
            if reader.account.dropped:
                results.notices.append(reader.account.sentence())
