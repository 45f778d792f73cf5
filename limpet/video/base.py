"""What every source of frames gives: ``Frame`` and the reader's interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

ASSUMED_RATE = Fraction(24)
"""Frames per second where the source does not say (folders of images)."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video.

    Attributes:
        index: position in the video, from 0; frames that cannot be decoded have an index too.
        image: uint8 (H, W, 3), RGB, turned the way it is shown; None when the frame could not be decoded
            (it is in the reader's ``failures``; a tracker repeats the previous mask for it).
        time: seconds since the first frame, from the video's own time stamps.
    """

    index: int
    image: NDArray[np.uint8] | None
    time: float


class VideoReader(ABC):
    """A source of frames: a context manager that can be iterated, from the start each time.

    One frame is held at a time. As many frames come out as went into the video, in the order shown.

    Attributes:
        name: the file's or folder's own name.
        size: (H, W) in pixels, as shown (rotation applied). Pixels are not stretched to be square.
        frame_rate: average frames per second, or None when the source does not say.
        frame_count: how many frames to expect: an estimate for a progress bar, or None.
        failures: one sentence for each frame that could not be decoded, or was damaged, in the latest
            iteration; the same list throughout, growing while frames are read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.size: tuple[int, int] = (0, 0)
        self.frame_rate: Fraction | None = None
        self.frame_count: int | None = None
        self.failures: list[str] = []
        self._running: Generator[Frame, None, None] | None = None

    @abstractmethod
    def _frames(self) -> Generator[Frame, None, None]:
        """Yield every frame from the first one; release the source when closed."""

    def __iter__(self) -> Iterator[Frame]:
        self.close()
        self.failures.clear()
        self._running = self._frames()
        return self._running

    def close(self) -> None:
        """Release the file. Iterating again opens it again."""
        if self._running is not None:
            self._running.close()
            self._running = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
