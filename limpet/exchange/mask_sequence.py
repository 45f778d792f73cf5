"""The one form that all exchange formats are read into and written from: a video's masks, frame by frame.

Legend: H W pixels of the frame; N objects; T frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import MaskError, Option
from limpet.core.masks import MAX_ID
from limpet.core.tracker_protocol import Mask
from limpet.exchange.coco_rle import Labels
from limpet.video.video_reader import ASSUMED_RATE


@dataclass(frozen=True, eq=False)
class MaskFrame:
    """The masks of one frame.

    Attributes:
        index: of the frame, from 0.
        time: seconds since the first frame.
        labels: uint8 or uint16 (H, W) of object ids; 0 is background.
        stated: the objects of which the source says whether and where they are visible in this frame; None: all
            objects of the sequence. An object that is stated and not in ``labels`` is not visible.
    """

    index: int
    time: float
    labels: Labels
    stated: frozenset[int] | None = None


@dataclass(eq=False)
class MaskSequence:
    """The masks of a video. Iterating reads them, each time from the start, one frame in memory at a time.

    Attributes:
        name: of the video, without a folder.
        size: (H, W) in pixels.
        names: object id -> name, which may be empty; ids ascending.
        open_frames: gives the frames in ascending order. Frames that are left out have no mask.
        frame_count: T of the video; None where it is not known before the end.
        frame_rate: frames per second, or None.
        timed: whether the source states when frames are shown; otherwise ``frame_rate``, or 24 a second, was assumed.
        numbered: whether the ids are only places in a file that has none, so that names say more.
        notices: what is lost or was decided on the way, one sentence each; complete once all frames were read.
    """

    name: str
    size: tuple[int, int]
    names: Mapping[int, str]
    open_frames: Callable[[], Iterator[MaskFrame]]
    frame_count: int | None = None
    frame_rate: Fraction | None = None
    notices: list[str] = field(default_factory=list)
    timed: bool = True
    numbered: bool = False

    def __iter__(self) -> Iterator[MaskFrame]:
        return self.open_frames()

    @property
    def title(self) -> str:
        """The name without a suffix, for names of files."""
        return self.name.rpartition(".")[0] or self.name or "video"

    @property
    def rate_text(self) -> str | None:
        """The frame rate as an exact number or fraction in text, as our additions to JSON files hold it."""
        return None if self.frame_rate is None else str(self.frame_rate)

    def renamed(self, names: Mapping[int, str]) -> MaskSequence:
        """The same with other names of some objects. Raises MaskError if there is no such object."""
        unknown = sorted(set(names) - set(self.names))
        if unknown:
            have = ", ".join(map(str, self.names)) or "none"
            raise MaskError(f"there is no object {unknown[0]} to be named; the objects are {have}")
        return replace(self, names={**self.names, **names})

    def at_rate(self, rate: Fraction) -> MaskSequence:
        """The same at a constant number of frames per second. Raises MaskError if the source states its own times."""
        if self.timed:
            raise MaskError(
                f"{self.name} states when its frames are shown; leave out ",
                Option("frame_rate"),
                " to keep that",
            )

        def frames() -> Iterator[MaskFrame]:
            return (replace(frame, time=time_of(frame.index, rate)) for frame in self)

        return replace(self, open_frames=frames, frame_rate=rate, timed=True)

    def note(self, sentence: str) -> None:
        """Add a notice, once however often the frames are read."""
        if sentence not in self.notices:
            self.notices.append(sentence)


def time_of(index: int, rate: Fraction | None) -> float:
    """Seconds since the first frame at a constant rate; 24 frames per second where it is not known."""
    return float(index / (rate or ASSUMED_RATE))


def positive_rate(value: object, where: str) -> Fraction | None:
    """Frames per second from a file: a number or a fraction as text, None for None. Raises MaskError."""
    if value is None:
        return None
    try:
        rate = Fraction(str(value)).limit_denominator(1_000_000)
    except (ValueError, ZeroDivisionError) as error:
        raise MaskError(f"the frame rate in {where} is {str(value)[:40]!r}; expected a number") from error
    if not 0 < rate <= 1_000_000:
        raise MaskError(f"the frame rate in {where} is {rate}; expected a number above 0")
    return rate


def with_ids(sequence: MaskSequence, new: Mapping[int, int]) -> MaskSequence:
    """The same with other ids: ``new`` has one for each of its objects, all different."""
    if all(old == number for old, number in new.items()):
        return sequence
    table: NDArray[Any] = np.zeros(max(new) + 1, np.uint8 if max(new.values()) <= MAX_ID else np.uint16)
    table[list(new)] = list(new.values())

    def frames() -> Iterator[MaskFrame]:
        for frame in sequence:
            stated = None if frame.stated is None else frozenset(new[i] for i in frame.stated)
            yield replace(frame, labels=table[frame.labels], stated=stated)

    names = {new[i]: name for i, name in sequence.names.items()}
    return replace(sequence, names=dict(sorted(names.items())), open_frames=frames)


def small_ids(sequence: MaskSequence) -> MaskSequence:
    """The same with ids of at most 255, as projects and trackers have them; larger ids are numbered again.

    Raises:
        MaskError: there are more than 255 objects.
    """
    ids = sorted(sequence.names)
    if not ids or ids[-1] <= MAX_ID:
        return sequence
    if len(ids) > MAX_ID:
        raise MaskError(
            f"{sequence.name} has {len(ids)} objects, but {MAX_ID} is the limit of a project; leave some out before"
        )
    free = iter(sorted(set(range(1, MAX_ID + 1)) - set(ids)))
    new = {i: i if i <= MAX_ID else next(free) for i in ids}
    changed = [f"{i} became {new[i]}" for i in ids if new[i] != i]
    sequence.note(
        f"ids above {MAX_ID} were numbered again: {', '.join(changed[:8])}{' …' * (len(changed) > 8)}"
    )
    return with_ids(sequence, new)


def mask_at(sequence: MaskSequence, index: int) -> Mask:
    """The mask of one frame, uint8 (H, W), for a tracker.

    Raises:
        MaskError: the sequence has no object in this frame; the message says which frames it has.
    """
    seen: list[int] = []
    for frame in small_ids(sequence):
        if frame.index == index and frame.labels.any():
            return frame.labels.astype(np.uint8)
        if frame.labels.any():
            seen.append(frame.index)
    shown = ", ".join(map(str, seen[:5])) + (" …" if len(seen) > 5 else "")
    raise MaskError(
        f"{sequence.name} holds no object in frame {index}; "
        + (f"it has masks of frames {shown}" if seen else "it has no mask at all")
    )
