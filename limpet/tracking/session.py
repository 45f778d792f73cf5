"""From the first frame of a video to its last, or from where an earlier run had come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.errors import OutputError, VideoError
from limpet.state import TrackerState
from limpet.tracking.checkpoint import Checkpoints
from limpet.tracking.live import Limit, stopping_is_an_end
from limpet.tracking.resume import Point, can_go_on, environment_of, find_point, frames_left, go_on
from limpet.tracking.tracker import Tracker
from limpet.video.base import Frame, VideoReader
from limpet.video.earlier import is_unfinished
from limpet.video.writer import ResultFolder

Mask = NDArray[np.uint8]
OnFrame = Callable[[int, int | None], None]


class Session:
    """One call of ``track``, whose results are being written.

    While it goes on it writes down what is needed to go on after it was killed, unless it reads a stream.

    Args:
        settings: of the run; it is resumed only with the same.

    Attributes:
        begun_at: how many frames an earlier run had done.
    """

    def __init__(
        self, reader: VideoReader, results: ResultFolder, tracker: Tracker, settings: Mapping[str, Any]
    ) -> None:
        self._reader, self._results, self._tracker, self._settings = reader, results, tracker, settings
        self._point: Point | None = None
        self._state: TrackerState | None = None
        self._checkpoints: Checkpoints | None = None
        self.begun_at = 0
        if can_go_on(reader):
            work = results.keep_journal({"settings": settings, "environment": environment_of(tracker)})
            self._checkpoints = Checkpoints(work.path, work.journal)

    def resume(self) -> None:
        """Take up the run in the folder of results, if there is one that has come anywhere.

        Raises:
            OutputError: it has other settings, or is damaged; says what. Nothing is changed then.
        """
        if is_unfinished(self._results.path):
            self._point = find_point(self._results.path, self._settings)
        if self._point is not None:
            self._state = go_on(self._point, self._results, self._reader, self._tracker)
            self.begun_at = len(self._point.rows)

    def work(
        self, first_mask: Mask, later: Mapping[int, Mask], limit: Limit, on_frame: OnFrame | None
    ) -> tuple[int, ...]:
        """Follow the objects to the end, or to the limit; returns the ids that were followed."""
        reader, results = self._reader, self._results
        ids = self._state.object_ids if self._state else ()
        all_done = limit.max_frames is not None and self.begun_at >= limit.max_frames
        steps = follow(reader, first_mask, self._tracker, later, self._frames(), self._state)
        try:
            with stopping_is_an_end(reader, results):
                for frame, labels, now in () if all_done else limit.until(steps):
                    results.add(frame, labels, now.confidence)
                    if self._checkpoints is not None:
                        self._checkpoints.offer(frame.index, now)
                    ids = now.object_ids
                    if on_frame is not None:
                        on_frame(results.frames_written, limit.expected(reader.frame_count))
        except BaseException:
            with suppress(OutputError):  # what went wrong first is what to tell
                self._save()
            raise
        self._save()
        return ids

    def _frames(self) -> Iterable[Frame]:
        if self._checkpoints is not None:
            return frames_left(self._point, self._results, self._reader)
        self._results.failures = self._reader.failures
        return self._reader

    def _save(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.flush()


def follow(
    reader: VideoReader,
    first_mask: Mask,
    tracker: Tracker,
    later: Mapping[int, Mask] | None = None,
    frames: Iterable[Frame] | None = None,
    state: TrackerState | None = None,
) -> Iterator[tuple[Frame, Mask, TrackerState]]:
    """Each frame of a video with its mask and the tracker's state after it.

    A frame that cannot be decoded repeats the mask before it, and the state stays as it was.

    Args:
        frames: which frames of the reader; all, unless given.
        state: after the frame before these; None where they begin with the first of the video.

    Raises:
        VideoError: the very first frame cannot be decoded, so that its mask shows nothing.
    """
    labels = first_mask if state is None else state.mask.cpu().numpy().copy()
    for frame in reader if frames is None else frames:
        if frame.image is None:
            if state is None:
                raise VideoError(
                    f"the first frame of {reader.name} cannot be decoded, and the mask belongs to it; "
                    f"cut the video to begin at a whole frame, and draw the mask there"
                )
            yield frame, labels, state
            continue
        if state is None:
            state = tracker.start(frame.image, first_mask)
        else:
            labels, state = tracker.step(frame.image, state)
        if later and frame.index in later:
            state = tracker.add(frame.image, later[frame.index], state)
            labels = state.mask.cpu().numpy()
        yield frame, labels, state
