"""What happens to the long-term memory when a frame enters or leaves it. New frames are put in front.

States are values that never change, so that every change makes a new memory: one copy, and only at frames that are
offered. Attention to the same memory takes a hundred times as long (docs/memory.md has figures), so that no buffer is
shared between states to save it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from limpet.errors import ModelError
from limpet.state import GroupState, LayerMemory, Memory, StoredFrame
from limpet.tracking.policies import MB, Frames, MemoryPolicy, tracked, without


def drop_newest(memory: Memory, tokens: int) -> Memory:
    """A copy of ``memory`` without its first ``tokens`` tokens, and so with none where it held one frame."""
    return tuple(
        LayerMemory(layer.key[:, tokens:].clone(), layer.value[:, tokens:].clone()) for layer in memory
    )


def stored_frame(
    index: int, given: Iterable[int], confidences: Iterable[float], memory: Memory
) -> StoredFrame:
    """The facts of a frame that has just become ``memory``; confidences of the group's objects, 0..1."""
    sure = list(confidences)
    descriptor = memory[0].key.float().mean(dim=(0, 1)).tolist()
    return StoredFrame(index, tuple(given), sum(sure) / len(sure), tuple(descriptor))


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
    after = choose(policy, before, room)
    return tuple(
        group if kept == group.frames else _remember(group, kept)
        for group, kept in zip(groups, after, strict=True)
    )


def choose(policy: MemoryPolicy, groups: Sequence[Frames], room: int | None) -> list[Frames]:
    """The frames that stay in each group, ``room`` or fewer in all groups together (None: no limit).

    Where room is short the largest group gives first, and all tracked frames go before any reference. The last
    frame of a group stays.
    """
    kept = [policy.keep(frames) for frames in groups]
    while room is not None and sum(map(len, kept)) > max(room, len(kept)):
        largest = max(range(len(kept)), key=lambda g: (bool(tracked(kept[g])), len(kept[g])))
        frames = kept[largest]
        gone = policy.least(frames) if tracked(frames) else least_reference(frames)
        kept[largest] = without(frames, gone)
    return kept


def least_reference(frames: Frames) -> StoredFrame:
    """Of references alone, but not the first: the oldest whose objects were all given in others too, or the oldest."""
    later = frames[-2::-1]  # the oldest first
    for frame in later:
        elsewhere = {i for other in frames if other is not frame for i in other.given}
        if elsewhere.issuperset(frame.given):
            return frame
    return later[0]


def _room(groups: Sequence[GroupState], max_bytes: int, mask_bytes: int) -> int:
    """How many frames fit into all long-term memories together, beside one of each group as short-term memory."""
    frame_bytes = _nbytes(groups[0].short_term)
    room = (max_bytes - mask_bytes) // frame_bytes - len(groups)
    if room < len(groups):
        smallest = mask_bytes + 2 * len(groups) * frame_bytes
        objects = sum(len(group.object_ids) for group in groups)
        raise ModelError(
            f"a memory budget of {max_bytes / MB:g} MB is too small for one reference and the previous frame of "
            f"{objects} {'objects' if objects > 1 else 'object'} at this size; the smallest that works is "
            f"{-(-smallest // 10**4) / 100:g} MB"
        )
    return room


def _remember(group: GroupState, kept: Frames) -> GroupState:
    """``group`` with the ``kept`` of its frames and of the one that is its short-term memory."""
    places = {frame.index: place for place, frame in enumerate(group.frames)}
    return replace(
        group,
        frames=kept,
        long_term=tuple(
            LayerMemory(
                *(
                    _gather(new, old, [places.get(f.index) for f in kept])
                    for new, old in zip(newest, layer, strict=True)
                )
            )
            for newest, layer in zip(group.short_term, group.long_term, strict=True)
        ),
    )


def _gather(newest: Tensor, memory: Tensor, places: Sequence[int | None]) -> Tensor:
    """Whole frames side by side, in one copy: ``newest`` (1, h*w, C) for None, else a place in ``memory`` (1, M, C)."""
    tokens = newest.shape[1]
    parts = [newest if p is None else memory[:, p * tokens : (p + 1) * tokens] for p in places]
    return newest if len(parts) == 1 and parts[0] is newest else torch.cat(parts, dim=1)


def _nbytes(memory: Memory) -> int:
    return sum(tensor.numel() * tensor.element_size() for layer in memory for tensor in layer)
