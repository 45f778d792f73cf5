"""Memory policies: which frames of the past a tracker goes on reading, chosen by name.

A policy is a value without state of its own. It looks at facts (``StoredFrame``), never at tensors: frames come in
the newest first, frames go out in the same order. How to add one: docs/memory.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from limpet.core.errors import ModelError
from limpet.state import StoredFrame

Frames = tuple[StoredFrame, ...]

OFFICIAL_GAP = 5  # frames between memories when AOT and DeAOT are tested
FEW = 8  # tracked frames where nobody says how many; RMem finds a handful better than all of a long video
MB = 10**6


@dataclass(frozen=True)
class MemoryPolicy:
    """What every policy tells; the base of those below.

    Frames with masks that a person gave are references: no policy drops them, only a lack of bytes does. All others
    are tracked frames.

    gap: a tracked frame is offered every so many frames; None offers none.
    most: how many tracked frames a group may keep; None sets no limit.
    max_bytes: for the whole state, all groups and the short-term memory together; None sets no limit.
    """

    gap: int | None = OFFICIAL_GAP
    most: int | None = None
    max_bytes: int | None = None
    name: ClassVar[str]

    def __post_init__(self) -> None:
        if self.gap is not None and self.gap < 1:
            raise ModelError(f"the memory's gap is {self.gap}, expected at least 1 frame or None")
        if self.most is not None and self.most < 0:
            raise ModelError(f"the memory may keep {self.most} tracked frames; expected 0 or more, or None")
        if self.max_bytes is not None and self.max_bytes < 1:
            raise ModelError(
                f"the memory budget is {self.max_bytes / MB:g} MB; expected more than 0, or none"
            )

    def least(self, frames: Frames) -> StoredFrame:
        """The tracked frame that is missed least: the oldest, unless a policy knows better."""
        return tracked(frames)[-1]

    def keep(self, frames: Frames) -> Frames:
        """Those that stay, however many bytes there are. ``frames[0]`` may be newly offered."""
        while self.most is not None and len(tracked(frames)) > self.most:
            frames = without(frames, self.least(frames))
        return frames


@dataclass(frozen=True)
class FirstFrame(MemoryPolicy):
    """References only: the first frame and every frame given to ``add`` (AOT and DeAOT T, S and B)."""

    gap: int | None = None
    most: int | None = 0
    name: ClassVar[str] = "first"


@dataclass(frozen=True)
class Official(MemoryPolicy):
    """References and every ``gap``-th frame, for ever (AOT and DeAOT L). With a byte budget the oldest go."""

    name: ClassVar[str] = "official"


@dataclass(frozen=True)
class Ring(MemoryPolicy):
    """References and the newest ``most`` of every ``gap``-th frame."""

    most: int | None = FEW
    name: ClassVar[str] = "ring"


@dataclass(frozen=True)
class Bounded(MemoryPolicy):
    """For long video: references and those frames that are sure, and unlike all others that are kept.

    After each offer the frame with the least worth goes, worth being confidence times distance to the most similar
    frame that stays. Two frames of the same view are each other's nearest, so that the less sure one goes: what
    remains are the different views that the video has shown, from its beginning on. The newest frame stays until
    the next offer. A frame in which no object is seen does not enter.

    What is followed: a small memory is not only cheaper but easier to read, and importance is to be balanced with
    freshness (RMem, Zhou et al., CVPR 2024); no update while the target is absent, and frames kept for what they
    show rather than when (DAM4SAM, Videnovic et al., CVPR 2025); an old memory is condensed to what represents it
    (XMem, Cheng and Schwing, ECCV 2022), here whole frames instead of prototypes. Unlike RMem and XMem it
    does not count how often a frame is read: no attention map need be kept.
    """

    name: ClassVar[str] = "bounded"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.most is None and self.max_bytes is None:
            object.__setattr__(self, "most", FEW)  # something has to bound it

    def keep(self, frames: Frames) -> Frames:
        """Without those in which nothing was seen; then as every policy."""
        return super().keep(tuple(f for f in frames if f.is_reference or f.confidence > 0))

    def least(self, frames: Frames) -> StoredFrame:
        """The one of least worth, the older of two equals; the newest only if it is alone."""
        newest, *older = tracked(frames)
        if not older:
            return newest
        worth = {f.index: f.confidence * new for f, new in zip(frames, novelty(frames), strict=True)}
        return min(older, key=lambda frame: (worth[frame.index], frame.index))


POLICIES: dict[str, type[MemoryPolicy]] = {p.name: p for p in (FirstFrame, Official, Ring, Bounded)}


def find_policy(
    memory: MemoryPolicy | str | None, long_term_gap: int | None, max_bytes: int | None = None
) -> MemoryPolicy:
    """A policy with the gap of a model.

    Args:
        memory: a name; None for what the model was trained for, "first" where it has no gap, else "official"; a
            policy is taken as it is, but for the budget.
        long_term_gap: of the model; where it has none, a policy that needs one takes the official gap.
        max_bytes: the budget for the whole state, None for none.

    Raises:
        ModelError: an unknown name, or a budget of nothing.
    """
    if isinstance(memory, MemoryPolicy):
        return memory if max_bytes is None else replace(memory, max_bytes=max_bytes)
    if memory is None:
        memory = FirstFrame.name if long_term_gap is None else Official.name
    if memory not in POLICIES:
        raise ModelError(
            f"there is no memory policy called {memory!r}; the policies are: {', '.join(POLICIES)}"
        )
    if memory == FirstFrame.name:
        return FirstFrame(max_bytes=max_bytes)
    return POLICIES[memory](gap=long_term_gap or OFFICIAL_GAP, max_bytes=max_bytes)


def budget_bytes(budget_mb: float | None) -> int | None:
    """MB (10^6 bytes) -> bytes; None is no limit. Raises ModelError unless it is more than 0."""
    if budget_mb is None:
        return None
    if not 0 < budget_mb < float("inf"):
        raise ModelError(f"the memory budget is {budget_mb:g} MB; expected a number of MB above 0")
    return max(1, round(budget_mb * MB))


def tracked(frames: Sequence[StoredFrame]) -> Frames:
    """Those that are no references, in the same order."""
    return tuple(frame for frame in frames if not frame.is_reference)


def without(frames: Frames, gone: StoredFrame) -> Frames:
    """All but one."""
    return tuple(frame for frame in frames if frame is not gone)


def novelty(frames: Sequence[StoredFrame]) -> np.ndarray:
    """For each of the F frames, the distance from its descriptor to the nearest other one: (F,) float64, F >= 2."""
    points = np.array([frame.descriptor for frame in frames])  # F A
    squares = (points**2).sum(axis=1)
    distance = (
        squares[:, None] + squares - 2 * points @ points.T
    )  # |a|^2 + |b|^2 - 2ab, so that F*F*A never exists
    np.fill_diagonal(distance, np.inf)
    nearest: np.ndarray = np.sqrt(distance.min(axis=1).clip(0))
    return nearest
