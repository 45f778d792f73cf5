"""What a measurement leaves behind: times of every frame by stage, memory, and what others did meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.bench.memory import peak_mb
from limpet.bench.others import cores_of_others, now
from limpet.bench.stages import Reading, Stages, seconds

OnFrame = Callable[[int], None]


@dataclass(frozen=True)
class Recorded:
    """Of the frames that count.

    frames: for each frame the seconds of every stage, as of ``stages.seconds``.
    middle: the frame in the middle and the state before it, to count the work of.
    state_mb: of the last state, 10^6 bytes; None where the engine does not tell.
    peak_mb: of the process, up to now. others: cores that other programs kept busy meanwhile.
    start_seconds: the first frame, whose mask is given; from end to end opening the video too.
    whole_seconds: from end to end, all of it without loading the model; else None.
    footage: what the frames show.
    """

    frames: tuple[Mapping[str, Reading], ...]
    middle: tuple[Any, Any]
    state_mb: float | None
    peak_mb: float
    others: float | None
    start_seconds: float
    whole_seconds: float | None
    footage: str

    def whole(self) -> NDArray[np.float64]:
        """(frames, 3): each frame, all stages together."""
        return np.array([np.sum(list(stages.values()), axis=0) for stages in self.frames])


class Recorder:
    """Collects what ``Recorded`` holds, while frames are tracked one after another.

    Args:
        warm_up: how many frames come before those that count; frames: how many count.
        wait: lets a GPU come to its end.
        on_frame: called with the number of frames done.
    """

    def __init__(
        self, warm_up: int, frames: int, wait: Callable[[], None], on_frame: OnFrame = lambda _: None
    ) -> None:
        self.stages = Stages(partial(seconds, wait))
        self.total = warm_up + frames
        self._warm_up, self._middle_at, self._on_frame = warm_up, warm_up + frames // 2, on_frame
        self._frames: list[dict[str, Reading]] = []
        self._began, self._done = now(), 0
        self.middle: tuple[Any, Any] | None = None

    @contextmanager
    def frame(self) -> Iterator[None]:
        """One frame in ``with``."""
        if self._done == self._warm_up:
            self._began = now()
        with self.stages.stage("rest"):
            yield
        spent = self.stages.take()
        if self._done >= self._warm_up:
            self._frames.append(spent)
        self._done += 1
        self._on_frame(self._done)

    def offer(self, frame: Any, state: Any) -> None:
        """A frame and the state before it; those of the middle are kept."""
        if self._done == self._middle_at:
            self.middle = frame, state

    def recorded(
        self, state: Any, footage: str, start_seconds: float, whole_seconds: float | None = None
    ) -> Recorded:
        """All of it, with the state after the last frame."""
        assert self.middle is not None  # there are two frames at least
        held = getattr(state, "nbytes", None)
        return Recorded(
            tuple(self._frames), self.middle, None if held is None else held / 1e6, peak_mb(),
            cores_of_others(self._began, now()), start_seconds, whole_seconds, footage,
        )  # fmt: skip
