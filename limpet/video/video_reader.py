"""The interface of all video readers: frames, and the failures of reading them."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import VideoError

if TYPE_CHECKING:
    from limpet.video.frame_queue import StreamAccount


ASSUMED_RATE = Fraction(24)
"""Frames per second where the source does not say (folders of images)."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video.

    Attributes:
        index: position in the video, from 0; frames that cannot be decoded have an index too.
        image: uint8 (H, W, 3), RGB, rotated as it is displayed; None when the frame could not be decoded
            (it is in the reader's ``failures``; a tracker repeats the previous mask for it).
        time: seconds since the first frame, from the video's own time stamps.
    """

    index: int
    image: NDArray[np.uint8] | None
    time: float


class FailureKind(StrEnum):
    """What can go wrong while a video is read."""

    UNREADABLE = "unreadable"
    """A frame that cannot be decoded."""
    DAMAGED = "damaged"
    """A frame that is shown as far as it could be decoded."""
    RESIZED = "resized"
    """A frame of another size than the video, which was fitted to it."""
    CUT_OFF = "cut_off"
    """The video ends earlier than it should."""
    STOPPED = "stopped"
    """The source gave an error, and nothing after it could be read."""
    CLOCK = "clock"
    """The clock of the source jumps before a frame, and one frame step is used instead."""
    MORE = "more"
    """Further failures, which are only counted."""


@dataclass(frozen=True)
class ReadFailure:
    """One thing that could not be read as it should be. ``str`` gives a sentence.

    Attributes:
        kind: see FailureKind.
        frame: index of the frame; for CUT_OFF and STOPPED how many frames came before; None for MORE.
        detail: what happened, as the end of the sentence.
        label: what stands after the frame's number, such as the name of an image.
    """

    kind: FailureKind
    frame: int | None
    detail: str
    label: str = ""

    @property
    def ends_video(self) -> bool:
        """Whether frames are missing at the end."""
        return self.kind in (FailureKind.CUT_OFF, FailureKind.STOPPED)

    @property
    def is_of_one_frame(self) -> bool:
        """Whether it concerns a single frame."""
        return not self.ends_video and self.kind is not FailureKind.MORE

    def labelled(self, label: str) -> ReadFailure:
        """The same with a label, if it concerns a single frame."""
        return replace(self, label=label) if self.is_of_one_frame else self

    @staticmethod
    def from_dict(facts: Mapping[str, Any] | str) -> ReadFailure:
        """From the fields as plain data. Earlier versions wrote the sentence alone; it becomes the detail."""
        if isinstance(facts, str):
            return ReadFailure(FailureKind.MORE, None, facts)
        return ReadFailure(FailureKind(facts["kind"]), facts["frame"], facts["detail"], facts["label"])

    def __str__(self) -> str:
        if self.kind is FailureKind.CUT_OFF:
            return f"the video ends after {self.frame} {self.detail}"
        if self.kind is FailureKind.STOPPED:
            return f"reading stopped after {self.frame} frames: {self.detail}"
        if self.kind is FailureKind.MORE:
            return self.detail
        label = f" {self.label}" if self.label else ""
        return f"frame {self.frame}{label} {self.detail}"


class VideoReader(ABC):
    """A source of frames: a context manager that can be iterated, each time from the start.

    One frame is held in memory at a time. Every frame of the video is yielded, in display order. Only one iteration
    runs at a time: starting another one ends it.

    Attributes:
        name: the file's or folder's own name.
        size: (H, W) in pixels, as displayed (rotation applied). Pixels are not stretched to be square.
        pixel_aspect: width of a pixel divided by its height, as displayed; 1 for square pixels.
        frame_rate: average frames per second, or None when the source does not say.
        frame_count: how many frames to expect: an estimate for a progress bar, or None.
        notices: what else to know of the pictures, one sentence each, such as a brightness that was mapped.
        failures: what could not be decoded, or was damaged, among the frames of the latest iteration; the same list
            throughout, growing while frames are read.
        nearest_seek: set it for quick looks at single frames; see ``PacketIndex.entry_before``.
        live: whether the source has no end of its own and is ended by stopping it.
        account: for a stream, the dropped frames and latencies; None for files.
    """

    live: bool = False
    nearest_seek: bool = False
    account: StreamAccount | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.size: tuple[int, int] = (0, 0)
        self.pixel_aspect = Fraction(1)
        self.notices: list[str] = []
        self.frame_rate: Fraction | None = None
        self.frame_count: int | None = None
        self.failures: list[ReadFailure] = []
        self._running: Generator[Frame, None, None] | None = None

    @abstractmethod
    def _frames(self) -> Generator[Frame, None, None]:
        """Yield every frame from the first one; release the source when closed."""

    def _frames_from(self, index: int) -> Generator[Frame, None, None]:
        """Yield the frames from ``index`` on. Readers that can seek override this."""
        frames = self._frames()
        try:
            for frame in frames:
                if frame.index >= index:
                    yield frame
                else:
                    self.failures.clear()
        finally:
            frames.close()

    def __iter__(self) -> Iterator[Frame]:
        return self._begin(self._frames())

    def frames_from(self, index: int) -> Iterator[Frame]:
        """The frames from ``index`` on: the same (index, image, time) as when iterating from the start.

        Where the source can seek, the frames before are not read. ``failures`` covers only the frames from ``index``
        on. A video that ends before ``index`` gives none.

        Raises:
            ValueError: ``index`` is negative.
        """
        if index < 0:
            raise ValueError(f"index is {index}; frames are counted from 0")
        return self._begin(self._frames_from(index) if index else self._frames())

    def _begin(self, frames: Generator[Frame, None, None]) -> Iterator[Frame]:
        self.close()
        self.failures.clear()
        self._running = frames
        return frames

    def prepare_seeking(self) -> None:
        """Do now what the first ``frames_from`` would do before its first frame, such as reading through the file."""
        return

    def known_length(self) -> int | None:
        """How many frames there are, where that is certain without decoding them; None elsewhere."""
        return None

    def twin(self) -> Self:
        """Another reader of the same source, with a position of its own, that shares what is known of the file."""
        other = copy.copy(self)
        other.failures, other._running = [], None
        return other

    def close(self) -> None:
        """Close the file. Iterating again opens it again."""
        if self._running is not None:
            self._running.close()
            self._running = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def not_a_video(path: Path) -> VideoError:
    """The error for a file that no demuxer opens; an MP4 without its index gets its own sentence."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] in (b"ftyp", b"mdat", b"wide"):
        return VideoError(
            f"{path} is an MP4/MOV whose index (the moov atom) is missing or damaged, so no frame can be "
            "found: the recording or download was cut off; copy it again, or repair it (for instance with untrunc)"
        )
    return VideoError(f"{path} is not a readable video; expected mp4, mov, mkv, webm or gif")
