"""Tracks a video frame by frame: from its first frame, or from where an earlier run stopped, to its end or a limit.

The results of one frame are written while the next one is tracked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from limpet.core.errors import OutputError, VideoError
from limpet.core.tracker_protocol import AnyState, AnyTracker, Mask
from limpet.results.result_folder import ResultFolder
from limpet.tracking.run_settings import can_read_again
from limpet.video.video_reader import Frame, VideoReader

if TYPE_CHECKING:
    from limpet.tracking.resume import ResumableRun


OnFrame = Callable[[int, int | None], None]


class Session:
    """One call of ``track``.

    Unless it reads a stream, or the states of its tracker cannot be saved, it also saves what is needed to resume after
    it was killed.

    Args:
        settings: of the run; it can be resumed only with the same.

    Attributes:
        begun_at: how many frames an earlier run had finished.
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
        self._reported = 0  # frames that on_frame was called for
        if tracker.resumable and can_read_again(reader):
            from limpet.tracking.resume import ResumableRun  # brings torch along; exported trackers have none

            self._kept = ResumableRun(reader, results, tracker, settings)  # type: ignore[arg-type]

    def resume(self) -> None:
        """Take up the run in the result folder, if there is one that has saved a state.

        Raises:
            OutputError: it has other settings, or is damaged; the message says what. Nothing is changed then.
        """
        if self._kept is not None:
            self._state = self._kept.resume()
            self.begun_at = self._kept.begun_at

    def work(
        self, first_mask: Mask | None, later: Mapping[int, Mask], limit: Limit, on_frame: OnFrame | None
    ) -> tuple[int, ...]:
        """Track the objects to the end of the video or to the limit; returns the ids that were tracked.

        Without a first mask, tracking begins at the earliest of the later ones.
        """
        reader, results = self._reader, self._results
        self._reported = results.frames_written
        ids: tuple[int, ...] = self._state.object_ids if self._state else ()
        notices: tuple[str, ...] = ()
        if first_mask is None:
            steps = follow_later(reader, later, self._tracker, self._frames(limit), self._state)
        else:
            steps = follow(reader, first_mask, self._tracker, later, self._frames(limit), self._state)
        try:
            with interrupt_ends_stream(reader, results), WriteBehind() as behind:
                for frame, labels, now in limit.until(steps):
                    behind.wait()  # nothing of this frame is written before the previous one was reported
                    self._report(on_frame, limit)
                    behind.put(self._write, frame, labels, now, results.messages_so_far())
                    if now is not None:
                        ids, notices = now.object_ids, now.notices
                    if reader.live:  # the next frame may be long in coming, or never come
                        behind.wait()
                        self._report(on_frame, limit)
                behind.wait()
                self._report(on_frame, limit)
        except BaseException:
            with suppress(OutputError):  # the first error is the one to report
                self._save()
            raise
        results.notices.extend(notices)
        self._save()
        return ids

    def _write(self, frame: Frame, labels: Mask, now: Any, told: tuple[int, int]) -> None:
        self._results.add(frame, labels, {} if now is None else now.confidence, told)
        if self._kept is not None and now is not None:
            self._kept.offer(frame.index, now)

    def _report(self, on_frame: OnFrame | None, limit: Limit) -> None:
        written = self._results.frames_written
        if on_frame is not None and written > self._reported:
            on_frame(written, limit.expected(self._reader.frame_count))
        self._reported = written

    def _frames(self, limit: Limit) -> Iterable[Frame]:
        if self._kept is not None:
            return self._kept.frames(limit.max_frames)
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
        first_mask: uint8 (H, W), of the first frame.
        later: masks to add at later frames, by index.
        frames: the frames to track; None takes all of the reader.
        state: after the frame before them; None if they begin with the first frame of the video.

    Raises:
        VideoError: the first frame cannot be decoded, so that its mask belongs to no picture.
    """
    labels = first_mask if state is None else state.mask_array()
    for frame in reader if frames is None else frames:
        if frame.image is None:
            if state is None:
                raise VideoError(
                    f"the first frame of {reader.name} cannot be decoded, and the mask belongs to it; "
                    f"cut the video so that it begins with an intact frame, and draw the mask there"
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


def follow_later(
    reader: VideoReader,
    masks: Mapping[int, Mask],
    tracker: AnyTracker[AnyState],
    frames: Iterable[Frame],
    state: AnyState | None = None,
) -> Iterator[tuple[Frame, Mask, AnyState | None]]:
    """As ``follow``, where the first mask is that of a later frame.

    Before that frame masks are empty, and there is no state. A mask whose frame cannot be decoded begins nothing.

    Args:
        masks: uint8 (H, W), by index.
        frames: the frames to track. state: after the frame before them; None if nothing has begun there.
    """
    rest = iter(frames)
    if state is not None:
        yield from follow(reader, state.mask_array(), tracker, masks, rest, state)
        return
    for frame in rest:
        if frame.image is not None and frame.index in masks:
            after = {index: mask for index, mask in masks.items() if index > frame.index}
            yield from follow(reader, masks[frame.index], tracker, after, chain([frame], rest))
            return
        yield frame, np.zeros(reader.size, np.uint8), None


class WriteBehind:
    """Runs one job at a time in a thread of its own. Use it in ``with``: leaving waits for the last job.

    The error of a job that fails is raised by the next ``put`` or ``wait``, or on leaving, unless another error is
    already being raised.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="limpet-results")
        self._job: Future[None] | None = None

    def put(self, job: Callable[..., None], *arguments: Any) -> None:
        """Start ``job(*arguments)`` as soon as the previous job is done."""
        self.wait()
        self._job = self._thread.submit(job, *arguments)

    def wait(self) -> None:
        """Wait until the last job is done."""
        job, self._job = self._job, None
        if job is not None:
            job.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True)
        if error is None:
            self.wait()


AnyStep = TypeVar("AnyStep", bound=tuple[Frame, Mask, Any])


@dataclass(frozen=True)
class Limit:
    """Where to stop: after ``max_frames`` frames, or before the first frame after ``max_seconds``; None: at the end.

    Raises:
        VideoError: the limit leaves no frame.
    """

    max_frames: int | None = None
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.max_frames is not None and self.max_frames < 1) or (
            self.max_seconds is not None and not 0 <= self.max_seconds < float("inf")
        ):
            raise VideoError(
                f"max_frames is {self.max_frames} and max_seconds is {self.max_seconds}; expected at least 1 frame and "
                "0 seconds, or None"
            )

    def until(self, steps: Iterable[AnyStep]) -> Iterator[AnyStep]:
        """The steps within the limit. It does not wait for another frame after the last one."""
        for step in steps:
            if self.max_seconds is not None and step[0].time > self.max_seconds:
                return
            yield step
            if self.max_frames is not None and step[0].index + 1 >= self.max_frames:
                return

    def expected(self, frame_count: int | None) -> int | None:
        """How many frames to expect of a video with ``frame_count`` frames."""
        counts = [count for count in (frame_count, self.max_frames) if count is not None]
        return min(counts, default=None)


@contextmanager
def interrupt_ends_stream(reader: VideoReader, results: ResultFolder) -> Iterator[None]:
    """A live source has no end, so that a KeyboardInterrupt after the first frame ends it and is not an error.

    For every stream, what was dropped is recorded in the results, however the run ends.
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
