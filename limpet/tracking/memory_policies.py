"""Memory policies: which past frames stay in the long-term memory and are attended to.

A policy is a value without state of its own. It looks at facts (``StoredFrame``), never at tensors: it is given frames,
the newest first, and returns those that stay in the same order. docs/memory.md describes how to add one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from limpet.core.errors import ModelError, number_text
from limpet.state import SAME_VIEW, StoredFrame

if TYPE_CHECKING:
    from limpet.models.base import ModelConfig

Frames = tuple[StoredFrame, ...]

OFFICIAL_GAP = 5  # frames between memories when AOT and DeAOT are tested
DEFAULT_FRAMES = (
    8  # tracked frames, if not said otherwise; RMem finds a handful better than all of a long video
)
MB = 10**6


@dataclass(frozen=True)
class MemoryPolicy:
    """The settings that every policy has; the base class of those below.

    Frames with masks that a person gave are references. No policy drops them; only the byte budget can. All other
    frames are tracked frames.

    gap: a tracked frame becomes a candidate for the memory every ``gap`` frames; None means never.
    max_frames: how many tracked frames a group may keep; None sets no limit.
    max_bytes: budget for the whole state, all groups and the short-term memory together; None sets no limit.
    """

    gap: int | None = OFFICIAL_GAP
    max_frames: int | None = None
    max_bytes: int | None = None
    name: ClassVar[str]

    def __post_init__(self) -> None:
        if self.gap is not None and self.gap < 1:
            raise ModelError(f"the gap of the memory is {self.gap}; expected at least 1 frame, or None")
        if self.max_frames is not None and self.max_frames < 0:
            raise ModelError(f"max_frames of the memory is {self.max_frames}; expected 0 or more, or None")
        if self.max_bytes is not None and self.max_bytes < 1:
            raise ModelError(
                f"the memory budget is {self.max_bytes / MB:g} MB; expected more than 0, or None"
            )

    def choose_eviction(self, frames: Frames) -> StoredFrame:
        """The tracked frame to drop when one has to go: the oldest, unless a policy overrides this."""
        return tracked(frames)[-1]

    def keep(self, frames: Frames) -> Frames:
        """The frames that stay, the byte budget left aside. ``frames[0]`` may be a new candidate."""
        while self.max_frames is not None and len(tracked(frames)) > self.max_frames:
            frames = without(frames, self.choose_eviction(frames))
        return frames


@dataclass(frozen=True)
class FirstFrame(MemoryPolicy):
    """References only: the first frame and every frame given to ``add`` (AOT and DeAOT T, S and B)."""

    gap: int | None = None
    max_frames: int | None = 0
    name: ClassVar[str] = "first"


@dataclass(frozen=True)
class Official(MemoryPolicy):
    """References and every ``gap``-th frame of the whole video (AOT and DeAOT L). A byte budget drops the oldest."""

    name: ClassVar[str] = "official"


@dataclass(frozen=True)
class Ring(MemoryPolicy):
    """References and the newest ``max_frames`` of every ``gap``-th frame."""

    max_frames: int | None = DEFAULT_FRAMES
    name: ClassVar[str] = "ring"


@dataclass(frozen=True)
class Bounded(MemoryPolicy):
    """For long video: references, and the tracked frames that are both confident and different from one another.

    Each time a candidate arrives and there are too many frames, the frame of the lowest value is dropped. The value is
    the confidence times the distance to the most similar frame in memory. Two frames of the same view are each other's
    nearest neighbours, so that the less confident one is dropped, and what remains are the different views that the
    video has shown since its beginning. The newest candidate stays until the next one arrives. A frame in which no
    object is seen does not enter the memory.

    The ideas come from three papers. A small memory is not only cheaper but also easier to attend to, and relevance
    has to be balanced with freshness (RMem, Zhou et al., CVPR 2024). There is no update while the target is absent, and
    frames are kept for what they show rather than for their age (DAM4SAM, Videnovic et al., CVPR 2025). An old memory
    is condensed to what represents it (XMem, Cheng and Schwing, ECCV 2022), here to whole frames instead of prototypes.
    Unlike RMem and XMem, this policy does not count how often a frame is attended to, so that no attention map has to
    be kept.
    """

    name: ClassVar[str] = "bounded"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_frames is None and self.max_bytes is None:
            object.__setattr__(self, "max_frames", DEFAULT_FRAMES)  # something has to bound it

    def keep(self, frames: Frames) -> Frames:
        """Drops the frames in which nothing was seen, and then does what every policy does."""
        return super().keep(tuple(f for f in frames if f.is_reference or f.confidence > 0))

    def choose_eviction(self, frames: Frames) -> StoredFrame:
        """The frame of the lowest value, the older one of two equals; the newest only if there is no other."""
        newest, *older = tracked(frames)
        if not older:
            return newest
        values = {f.index: f.confidence * new for f, new in zip(frames, novelty(frames), strict=True)}
        return min(older, key=lambda frame: (values[frame.index], frame.index))


POLICIES: dict[str, type[MemoryPolicy]] = {p.name: p for p in (FirstFrame, Official, Ring, Bounded)}


def default_policy(config: ModelConfig, max_bytes: int | None = None) -> MemoryPolicy:
    """The policy of a model unless the user chooses one; trackers, evaluation and export all ask here.

    Models that keep references alone get ``FirstFrame``, those that name a number of frames ``Bounded`` with it, and
    others ``Official``; the gap is the model's own. docs/memory.md has the measurements behind it.

    Args:
        config: of the model.
        max_bytes: budget for the whole state; None sets no limit.
    """
    if config.long_term_gap is None:
        return FirstFrame(max_bytes=max_bytes)
    if config.long_term_frames is None:
        return Official(gap=config.long_term_gap, max_bytes=max_bytes)
    return Bounded(gap=config.long_term_gap, max_frames=config.long_term_frames, max_bytes=max_bytes)


def model_gap(config: ModelConfig) -> int:
    """Frames between two memories for a model; the official gap where the model was trained with references alone."""
    return config.long_term_gap or OFFICIAL_GAP


def fixed_size_policy(policy: MemoryPolicy) -> str:
    """The name of the policy that exported and batched trackers follow in place of one: "bounded" or "ring"."""
    return Bounded.name if isinstance(policy, Bounded) else Ring.name


def find_policy(
    memory: MemoryPolicy | str | None, config: ModelConfig, max_bytes: int | None = None
) -> MemoryPolicy:
    """A policy for a model.

    Args:
        memory: a name; None for ``default_policy``; a policy is used as it is, except for its budget.
        config: of the model; named policies use its gap.
        max_bytes: budget for the whole state; None sets no limit.

    Raises:
        ModelError: an unknown name, or a budget of nothing.
    """
    if isinstance(memory, MemoryPolicy):
        return memory if max_bytes is None else replace(memory, max_bytes=max_bytes)
    if memory is None:
        return default_policy(config, max_bytes)
    if memory not in POLICIES:
        raise ModelError(
            f"there is no memory policy called {memory!r}; the policies are: {', '.join(POLICIES)}"
        )
    if memory == FirstFrame.name:
        return FirstFrame(max_bytes=max_bytes)
    return POLICIES[memory](gap=model_gap(config), max_bytes=max_bytes)


def budget_bytes(budget_mb: float | None) -> int | None:
    """MB (10^6 bytes) -> bytes; None sets no limit. Raises ModelError unless it is more than 0."""
    if budget_mb is None:
        return None
    if not isinstance(budget_mb, int | float) or not 0 < budget_mb < float("inf"):
        raise ModelError(f"the memory budget is {number_text(budget_mb)} MB; expected a number of MB above 0")
    return max(1, round(budget_mb * MB))


def tracked(frames: Sequence[StoredFrame]) -> Frames:
    """The frames that are not references, in the same order."""
    return tuple(frame for frame in frames if not frame.is_reference)


def without(frames: Frames, gone: StoredFrame) -> Frames:
    """All frames but one, in the same order."""
    return tuple(frame for frame in frames if frame is not gone)


def novelty(frames: Sequence[StoredFrame]) -> np.ndarray:
    """For each of the F frames, the distance from its descriptor to the nearest other one, at least ``SAME_VIEW``.

    Args:
        frames: F >= 2.

    Returns:
        (F,) float64.
    """
    points = np.array([frame.descriptor for frame in frames])  # F A
    squares = (points**2).sum(axis=1)
    distance = (
        squares[:, None] + squares - 2 * points @ points.T
    )  # |a|^2 + |b|^2 - 2ab, so that F*F*A never exists
    np.fill_diagonal(distance, np.inf)
    nearest: np.ndarray = np.sqrt(distance.min(axis=1).clip(SAME_VIEW**2))
    return nearest
