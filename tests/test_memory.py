"""Memories hold whole frames, the newest first, whatever the layers' numbers of tokens."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from limpet.memory import LayerMemory, Memory, join_memories

TOKENS = (6, 2)  # of a frame in each of two layers


def one_frame(number: float, batch: int = 1) -> Memory:
    """A frame whose keys are all ``number`` and whose values are all -``number``; batch elements differ by 0.5."""
    shift = 0.5 * torch.arange(batch).view(-1, 1, 1)
    return Memory(
        tuple(
            LayerMemory(torch.full((batch, m, 3), number) + shift, torch.full((batch, m, 5), -number) - shift)
            for m in TOKENS
        )
    )


def memory_of(*numbers: float) -> Memory:
    """Frames side by side, the first number being the newest frame."""
    return join_memories([one_frame(number) for number in numbers], along="frames")


def frames_in(memory: Memory) -> list[float]:
    """The numbers of the frames, read off every token of every layer."""
    found: list[list[float]] = []
    for (key, value), tokens in zip(memory, TOKENS, strict=True):
        assert key.shape == (1, tokens * memory.frames, 3) and value.shape == (1, tokens * memory.frames, 5)
        assert torch.equal(key[..., :1], -value[..., :1])
        cut = [key[0, tokens * t : tokens * (t + 1)] for t in range(memory.frames)]
        assert all(len(frame.unique()) == 1 for frame in cut)
        found.append([float(frame[0, 0]) for frame in cut])
    assert found[0] == found[1], "all layers hold the same frames"
    return found[0]


def storages(memory: Memory) -> set[int]:
    return {tensor.untyped_storage().data_ptr() for layer in memory for tensor in layer if tensor.numel()}


def test_frames_are_appended_in_front() -> None:
    memory = one_frame(1).append(one_frame(2)).append(one_frame(3))
    assert frames_in(memory) == [3, 2, 1]
    assert memory.frames == 3 and len(memory) == 2
    assert frames_in(memory.append(one_frame(4), keep=[0, 2])) == [4, 3, 1]
    newest = one_frame(4)
    assert memory.append(newest, keep=[]) is newest, "what is alone is not copied"


def test_frames_are_selected_and_dropped_as_copies() -> None:
    memory = memory_of(3, 2, 1)
    assert frames_in(memory.select([2, 0])) == [1, 3]
    assert [frames_in(memory.drop(t)) for t in range(3)] == [[2, 1], [3, 1], [3, 2]]
    for made in (memory.select([1]), memory.select([0, 1, 2]), memory.drop(0)):
        assert not storages(made) & storages(memory), "a view would keep the whole memory alive"
    empty = one_frame(1).drop(0)
    assert empty.frames == 0 and frames_in(empty) == []
    assert frames_in(empty.append(one_frame(5))) == [5]


def test_one_frame_is_a_view() -> None:
    memory = memory_of(3, 2, 1)
    assert [frames_in(memory.frame(t)) for t in range(3)] == [[3], [2], [1]]
    assert storages(memory.frame(1)) == storages(memory)
    with pytest.raises(IndexError, match="frame 3 of a memory of 3 frames; the newest is frame 0"):
        memory.frame(3)


def test_padding_is_behind_the_frames_and_zero() -> None:
    padded = memory_of(3, 2).padded(4)
    assert frames_in(padded) == [3, 2, 0, 0]
    assert frames_in(memory_of(3).padded(1)) == [3]


def test_frames_are_written_where_it_is_asked_for() -> None:
    memory = join_memories([memory_of(3, 2, 1), memory_of(6, 5, 4)], along="batch")
    where = torch.tensor([[False, True, False], [False, False, False]])
    first, second = memory.written(one_frame(9, batch=2), where).split()
    assert frames_in(first) == [3, 9, 1]
    assert frames_in(second) == [6, 5, 4]
    assert frames_in(memory.split()[0]) == [3, 2, 1], "the memory itself stays as it was"


def test_a_batch_is_joined_and_split() -> None:
    memories = [memory_of(3, 2), memory_of(7, 6)]
    together = join_memories(memories, along="batch")
    assert together.frames == 2 and together[0].key.shape == (2, 12, 3)
    assert [frames_in(memory) for memory in together.split()] == [[3, 2], [7, 6]]
    assert storages(together.split()[0]) == storages(together)
    assert join_memories(memories[:1], along="batch") is memories[0]
    assert memories[0].shapes == memories[1].shapes != one_frame(1).shapes


def test_bytes_are_those_of_all_tensors() -> None:
    assert memory_of(3, 2).nbytes == 2 * sum(TOKENS) * (3 + 5) * 4
    assert memory_of(3, 2).map(Tensor.half).nbytes == 2 * sum(TOKENS) * (3 + 5) * 2


def test_tensors_are_named_and_found_again() -> None:
    memory = memory_of(3, 2)
    named = {**memory.named("long."), **one_frame(8).named("short."), "other": torch.zeros(1)}
    assert list(memory.named()) == ["0.key", "0.value", "1.key", "1.value"]
    assert frames_in(Memory.of_named(named, "long.", frames=2)) == [3, 2]
    assert frames_in(Memory.of_named(named, "short.", layers=2)) == [8]
    with pytest.raises(KeyError, match=r"short\.2\.key"):
        Memory.of_named(named, "short.", layers=3)
