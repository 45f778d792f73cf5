"""What happens to the long-term memory when a frame enters or leaves it. New frames are put in front.

States are values that never change, so that every change makes a new memory: one copy, and only at frames that are
offered. Attention to the same memory takes a hundred times as long (docs/memory.md has figures), so that no buffer is
shared between states to save it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from limpet.core.errors import ModelError
from limpet.memory import Memory
from limpet.state import GroupState, StoredFrame, TrackerState
from limpet.tracking.memory_policies import MB, Frames, MemoryPolicy, tracked, without


class PendingMemory(NamedTuple):
    """A state after a frame whose long-term memories are still those of before, and for each group what ``settle``
    takes as ``offered``."""

    state: TrackerState
    offered: Sequence[StoredFrame | None]


def stored_frame(
    index: int, given: Iterable[int], confidences: Iterable[float], memory: Memory
) -> StoredFrame:
    """The facts of a frame that has just become ``memory``; confidences of the group's objects, 0..1."""
    sure = list(confidences)
    descriptor = memory[0].key.float().mean(dim=(0, 1)).tolist()
    return StoredFrame(index, tuple(given), sum(sure) / len(sure), tuple(descriptor))


def apply_policy_to_states(
    unsettled: Sequence[PendingMemory], policy: MemoryPolicy, more_bytes: int = 0
) -> list[TrackerState]:
    """Settle states that are held together, under one byte budget.

    Args:
        more_bytes: what is held besides these states.

    Raises:
        ModelError: as for ``settle``.
    """
    groups = [group for state, _ in unsettled for group in state.groups]
    offered = [offer for _, offers in unsettled for offer in offers]
    masks = sum(state.mask.nbytes for state, _ in unsettled)
    kept = iter(settle(groups, offered, policy, masks + more_bytes))
    return [replace(state, groups=tuple(islice(kept, len(state.groups)))) for state, _ in unsettled]


def settle(
    groups: Sequence[GroupState],
    offered: Sequence[StoredFrame | None],
    policy: MemoryPolicy,
    mask_bytes: int,
) -> tuple[GroupState, ...]:
    """Let a policy and its byte budget decide what the groups go on remembering.

    Args:
        groups: after a frame, their short-term memory being that frame.
        offered: for each group the facts of that frame if it may enter the long-term memory, else None.
        mask_bytes: what the state holds besides the groups.

    Returns:
        The groups; one whose long-term memory stays as it was is returned itself.

    Raises:
        ModelError: the budget is too small for one frame in each group.
    """
    before = [
        group.frames if new is None else (new, *group.frames)
        for group, new in zip(groups, offered, strict=True)
    ]
    room = None if policy.max_bytes is None else _room(groups, policy.max_bytes, mask_bytes)
    after = choose(policy, before, room, [group.short_term.nbytes for group in groups])
    return tuple(
        group if kept == group.frames else _remember(group, kept)
        for group, kept in zip(groups, after, strict=True)
    )


def choose(
    policy: MemoryPolicy, groups: Sequence[Frames], room: int | None, sizes: Sequence[int] | None = None
) -> list[Frames]:
    """The frames that stay in each group, those of all groups together within ``room`` (None: no limit).

    ``sizes`` says what one frame of each group takes of the room, 1 unless told otherwise.

    Where room is short the largest group gives first, and all tracked frames go before any reference. The last
    frame of a group stays.
    """
    kept = [policy.keep(frames) for frames in groups]
    each = [1] * len(kept) if sizes is None else sizes
    while room is not None and _held(kept, each) > max(room, sum(each)):
        largest = max(range(len(kept)), key=lambda g: (bool(tracked(kept[g])), len(kept[g])))
        frames = kept[largest]
        gone = policy.choose_eviction(frames) if tracked(frames) else least_useful_reference(frames)
        kept[largest] = without(frames, gone)
    return kept


def least_useful_reference(frames: Frames) -> StoredFrame:
    """Of references alone, but not the first: the oldest whose objects were all given in others too, or the oldest."""
    later = frames[-2::-1]  # the oldest first
    for frame in later:
        elsewhere = {i for other in frames if other is not frame for i in other.given}
        if elsewhere.issuperset(frame.given):
            return frame
    return later[0]


def _held(groups: Sequence[Frames], sizes: Sequence[int]) -> int:
    return sum(len(frames) * size for frames, size in zip(groups, sizes, strict=True))


def _room(groups: Sequence[GroupState], max_bytes: int, mask_bytes: int) -> int:
    """Bytes for all long-term memories together, beside one frame of each group as short-term memory."""
    short_bytes = sum(group.short_term.nbytes for group in groups)
    room = max_bytes - mask_bytes - short_bytes
    if room < short_bytes:
        smallest = mask_bytes + 2 * short_bytes
        objects = len({i for group in groups for i in group.object_ids})
        raise ModelError(
            f"a memory budget of {max_bytes / MB:g} MB is too small for one reference and the previous frame of "
            f"{objects} {'objects' if objects > 1 else 'object'} at this size; the smallest that works is "
            f"{-(-smallest // 10**4) / 100:g} MB"
        )
    return room


def _remember(group: GroupState, kept: Frames) -> GroupState:
    """``group`` with the ``kept`` of its frames and of the one that is its short-term memory."""
    stored = {frame.index: number for number, frame in enumerate(group.frames)}
    earlier = [stored[frame.index] for frame in kept if frame.index in stored]
    if len(earlier) == len(kept):
        return replace(group, frames=kept, long_term=group.long_term.select(earlier))
    return replace(group, frames=kept, long_term=group.long_term.append(group.short_term, keep=earlier))
