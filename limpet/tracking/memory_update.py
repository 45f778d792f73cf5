"""Applies a memory policy: lets frames enter and leave the long-term memory. New frames are put in front.

States are values that never change, so that every change makes a new memory: one copy, at candidates only. Attention
to the same memory takes a hundred times as long (docs/memory.md has figures), so that it is not worth saving this copy
with a buffer that states share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from limpet.core.errors import ModelError, Option
from limpet.memory import Memory
from limpet.state import GroupState, StoredFrame, TrackerState
from limpet.tracking.memory_policies import MB, Frames, MemoryPolicy, tracked, without


class PendingMemory(NamedTuple):
    """A state after a frame, before that frame may enter the long-term memories.

    candidates: for each group the facts of the frame if it may enter the long-term memory, else None.
    """

    state: TrackerState
    candidates: Sequence[StoredFrame | None]


def stored_frame(
    index: int, given: Iterable[int], confidences: Iterable[float], memory: Memory
) -> StoredFrame:
    """The facts of a frame whose memory is ``memory``. confidences: of the objects of the group, 0..1."""
    values = list(confidences)
    descriptor = memory[0].key.float().mean(dim=(0, 1)).tolist()
    return StoredFrame(index, tuple(given), sum(values) / len(values), tuple(descriptor))


def referred_group(
    ids: tuple[int, ...], memory: Memory, index: int, earlier: GroupState | None
) -> GroupState:
    """A group whose masks are known in the frame ``index``, before the frame enters its long-term memory.

    Args:
        ids: of its objects. memory: what the model made of the frame and the masks.
        earlier: the group before; None for a new one, whose long-term memory begins with the frame.
    """
    if earlier is None:
        return GroupState(ids, memory, memory, index, frames=())
    known, kept = earlier.frames, earlier.long_term
    if known and known[0].index == index:  # this frame was stored with the masks that are now replaced
        known, kept = known[1:], kept.drop(0)
    return GroupState(ids, kept, memory, index, known)


def propagated_group(
    group: GroupState,
    memory: Memory,
    index: int,
    gap: int | None,
    confidence: Mapping[int, float],
    short_term_skip: int = 1,
) -> tuple[GroupState, StoredFrame | None]:
    """A group after a propagated frame, and the facts of the frame if it may enter the long-term memory.

    Args:
        memory: what the model made of the frame and the predicted masks.
        gap: of the memory policy: frames between two candidates; None for no candidates.
        confidence: of each object, 0..1.
        short_term_skip: how many frames before the next one its short-term memory is; 1 is the previous frame. Until
            there are so many, it is the oldest one. The authors of AOT and DeAOT train with 6 frames per second, and
            took an older frame for VOT, whose videos have 24 to 30 (docs/vot.md).
    """
    short_term, *newer = (group.short_term, *group.newer, memory)[-short_term_skip:]
    after = replace(group, short_term=short_term, newer=tuple(newer))
    if gap is None or index - group.last_stored < gap:
        return after, None
    values = [confidence[i] for i in group.object_ids]
    return replace(after, last_stored=index), stored_frame(index, (), values, memory)


def checked_skip(skip: int, flow: str | None, reads_previous: bool) -> int:
    """``skip``, unless no tracker can have it.

    Args:
        flow: source of the model's optical flow, which leads to the previous frame; None for models without.
        reads_previous: whether the model reads a short-term memory.

    Raises:
        ModelError: it is below 1, or above 1 for a model with optical flow or without a short-term memory.
    """
    if skip < 1:
        raise ModelError(f"short_term_skip is {skip}; expected at least 1, which is the previous frame")
    if skip > 1 and (flow is not None or not reads_previous):
        reason = "follows optical flow from the previous frame" if flow else "reads no short-term memory"
        raise ModelError(
            f"short_term_skip is {skip}, but this model {reason}; leave out ", Option("short_term_skip", skip)
        )
    return skip


def given_ids(group: GroupState | None, index: int) -> tuple[int, ...]:
    """The ids whose masks were given in the frame ``index``, if that frame was stored last."""
    return group.frames[0].given if group and group.frames and group.frames[0].index == index else ()


def apply_policy_to_states(
    pending: Sequence[PendingMemory], policy: MemoryPolicy, more_bytes: int = 0
) -> list[TrackerState]:
    """Apply a policy to states that are held together, under one byte budget.

    Args:
        more_bytes: bytes that are held besides these states.

    Raises:
        ModelError: see ``apply_policy``.
    """
    groups = [group for state, _ in pending for group in state.groups]
    candidates = [candidate for _, offers in pending for candidate in offers]
    masks = sum(state.mask.nbytes for state, _ in pending)
    kept = iter(apply_policy(groups, candidates, policy, masks + more_bytes))
    return [replace(state, groups=tuple(islice(kept, len(state.groups)))) for state, _ in pending]


def apply_policy(
    groups: Sequence[GroupState],
    candidates: Sequence[StoredFrame | None],
    policy: MemoryPolicy,
    mask_bytes: int,
) -> tuple[GroupState, ...]:
    """Let a policy and its byte budget decide which frames stay in the long-term memories.

    Args:
        groups: after a frame, of which they have the memory (``GroupState.latest``).
        candidates: for each group the facts of that frame if it may enter the long-term memory, else None.
        mask_bytes: bytes that the state holds besides the groups.

    Returns:
        The groups; a group whose long-term memory does not change is returned as it is.

    Raises:
        ModelError: the budget is too small for one frame in each group.
    """
    before = [
        group.frames if new is None else (new, *group.frames)
        for group, new in zip(groups, candidates, strict=True)
    ]
    room = None if policy.max_bytes is None else _room(groups, policy.max_bytes, mask_bytes)
    after = choose_frames(policy, before, room, [group.short_term.nbytes for group in groups])
    return tuple(
        group if kept == group.frames else _remember(group, kept)
        for group, kept in zip(groups, after, strict=True)
    )


def choose_frames(
    policy: MemoryPolicy, groups: Sequence[Frames], room: int | None, sizes: Sequence[int] | None = None
) -> list[Frames]:
    """The frames that stay in each group, so that those of all groups together fit into ``room``.

    If there are too many, the group with the most frames drops one first, and all tracked frames are dropped before any
    reference. The last frame of a group always stays.

    Args:
        groups: the frames of each group, the newest first.
        room: in the unit of ``sizes``; None sets no limit.
        sizes: of one frame in each group; None counts frames.
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
    """The reference to drop, never the first: the oldest whose objects all have other references, or the oldest."""
    later = frames[-2::-1]  # the oldest first
    for frame in later:
        elsewhere = {i for other in frames if other is not frame for i in other.given}
        if elsewhere.issuperset(frame.given):
            return frame
    return later[0]


def _held(groups: Sequence[Frames], sizes: Sequence[int]) -> int:
    return sum(len(frames) * size for frames, size in zip(groups, sizes, strict=True))


def _room(groups: Sequence[GroupState], max_bytes: int, mask_bytes: int) -> int:
    """Bytes for all long-term memories together, besides one frame per group as short-term memory."""
    short_bytes = sum(group.short_term_nbytes for group in groups)
    one_frame = sum(group.short_term.nbytes for group in groups)
    room = max_bytes - mask_bytes - short_bytes
    if room < one_frame:
        smallest = mask_bytes + short_bytes + one_frame
        objects = len({i for group in groups for i in group.object_ids})
        raise ModelError(
            f"a memory budget of {max_bytes / MB:g} MB is too small for one reference and the previous frame of "
            f"{objects} {'objects' if objects > 1 else 'object'} at this size; the smallest that works is "
            f"{-(-smallest // 10**4) / 100:g} MB"
        )
    return room


def _remember(group: GroupState, kept: Frames) -> GroupState:
    """``group`` with the frames ``kept`` in its long-term memory; one of them may be the latest one."""
    stored = {frame.index: number for number, frame in enumerate(group.frames)}
    earlier = [stored[frame.index] for frame in kept if frame.index in stored]
    if len(earlier) == len(kept):
        return replace(group, frames=kept, long_term=group.long_term.select(earlier))
    return replace(group, frames=kept, long_term=group.long_term.append(group.latest, keep=earlier))
