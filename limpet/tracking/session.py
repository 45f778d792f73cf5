"""From the first frame of a video to its last, or from where an earlier run had come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from limpet.errors import OutputError, VideoError
from limpet.tracking.behind import WriteBehind
from limpet.tracking.interface import AnyState, AnyTracker, Mask
from limpet.tracking.live import Limit, stopping_is_an_end
from limpet.tracking.settings import can_go_on
from limpet.video.base import Frame, VideoReader
from limpet.video.writer import ResultFolder

if TYPE_CHECKING:
    from limpet.tracking.resume import ResumableRun

OnFrame = Callable[[int, int | None], None]


class Session:
    """One call of ``track``, whose results are being written.

    While it goes on it writes down what is needed to go on after it was killed, unless it reads a stream or its
    tracker's states cannot be written down.

    Args:
        settings: of the run; it is resumed only with the same.

    Attributes:
        begun_at: how many frames an earlier run had done.
    """

    def __init__(
        self,
        reader: VideoReader,
        results: ResultFolder,
        tracker: AnyTracker[Any],
        settings: Mapping[str, Any],
    ) -> None:
        self._reader, self._results, self._tracker = reader, results, tracker
        self._kept: ResumableRun | None = None
        self._state: Any = None
        self.begun_at = 0
        self._told = 0  # frames that on_frame has heard of
        if tracker.resumable and can_go_on(reader):
            from limpet.tracking.resume import ResumableRun  # brings torch along; exported trackers have none

            self._kept = ResumableRun(reader, results, tracker, settings)  # type: ignore[arg-type]

    def resume(self) -> None:
        """Take up the run in the folder of results, if there is one that has come anywhere.

        Raises:
            OutputError: it has other settings, or is damaged; says what. Nothing is changed then.
        """
        if self._kept is not None:
            self._state = self._kept.resume()
            self.begun_at = self._kept.begun_at

    def work(
        self, first_mask: Mask, later: Mapping[int, Mask], limit: Limit, on_frame: OnFrame | None
    ) -> tuple[int, ...]:
        """Follow the objects to the end, or to the limit; returns the ids that were followed."""
        reader, results = self._reader, self._results
        self._told = results.frames_written
        ids: tuple[int, ...] = self._state.object_ids if self._state else ()
        all_done = limit.max_frames is not None and self.begun_at >= limit.max_frames
        steps = follow(reader, first_mask, self._tracker, later, self._frames(), self._state)
        try:
            with stopping_is_an_end(reader, results), WriteBehind() as behind:
                for frame, labels, now in () if all_done else limit.until(steps):
                    behind.wait()  # nothing of this frame is written before the one before it has been told
                    self._tell(on_frame, limit)
                    behind.put(self._write, frame, labels, now, results.told_so_far())
                    ids = now.object_ids
                    if reader.live:  # the next frame may be long in coming, or never come
                        behind.wait()
                        self._tell(on_frame, limit)
                behind.wait()
                self._tell(on_frame, limit)
        except BaseException:
            with suppress(OutputError):  # what went wrong first is what to tell
                self._save()
            raise
        self._save()
        return ids

    def _write(self, frame: Frame, labels: Mask, now: Any, told: tuple[int, int]) -> None:
        self._results.add(frame, labels, now.confidence, told)
        if self._kept is not None:
            self._kept.offer(frame.index, now)

    def _tell(self, on_frame: OnFrame | None, limit: Limit) -> None:
        written = self._results.frames_written
        if on_frame is not None and written > self._told:
            on_frame(written, limit.expected(self._reader.frame_count))
        self._told = written

    def _frames(self) -> Iterable[Frame]:
        if self._kept is not None:
            return self._kept.frames()
        self._results.failures = self._reader.failures
        return self._reader

    def _save(self) -> None:
        if self._kept is not None:
            self._kept.save()


def follow(
    reader: VideoReader,
    first_mask: Mask,
    tracker: AnyTracker[AnyState],
    later: Mapping[int, Mask] | None = None,
    frames: Iterable[Frame] | None = None,
    state: AnyState | None = None,
) -> Iterator[tuple[Frame, Mask, AnyState]]:
    """Each frame of a video with its mask and the tracker's state after it.

    A frame that cannot be decoded repeats the mask before it, and the state stays as it was.

    Args:
        frames: which frames of the reader; all, unless given.
        state: after the frame before these; None where they begin with the first of the video.

    Raises:
        VideoError: the very first frame cannot be decoded, so that its mask shows nothing.
    """
    labels = first_mask if state is None else state.mask_array()
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
            labels = state.mask_array()
        yield frame, labels, state
