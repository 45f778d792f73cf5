"""Which place a new frame takes in a long-term memory of fixed size, by the rule of a memory policy.

The first places are those of references; the others hold tracked frames. The rules are those of ``Ring`` and
``Bounded`` (limpet/tracking/memory_policies.py) in plain operations on tensors, which every export format has (Core ML
has no operation for ``&`` and ``|``).

    rule         = RULES["bounded"](references=1, ring=2)
    facts        = rule.first(memory)
    where, facts = rule.next(facts, memory, confidence, due)

Legend: B videos side by side; T places of the memory; A channels of a key.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from limpet.memory import Memory
from limpet.state import SAME_VIEW

Facts = dict[str, Tensor]


@dataclass(frozen=True)
class PlaceRule(ABC):
    """A rule, and what it has to know of the frames in memory.

    references, ring: how many places there are for references, and for tracked frames (at least 1); T together.
    """

    references: int
    ring: int

    @abstractmethod
    def first(self, memory: Memory) -> Facts:
        """The facts when the first place holds ``memory``, which is that of one frame, and all others are free."""

    @abstractmethod
    def next(self, state: Facts, memory: Memory, confidence: Tensor, due: Tensor) -> tuple[Tensor, Facts]:
        """Where a tracked frame is written.

        Args:
            state: the facts, and ``memory_mask`` (B, T), 1 for each place that is taken.
            memory: of the one new frame.
            confidence: (B, 1) of its masks, 0..1.
            due: bool (B,), whether the frame is a candidate.

        Returns:
            bool (B, T), true in one place or in none; and the facts afterwards.
        """

    def tracked(self, like: Tensor) -> Tensor:
        """For each place its number among those of tracked frames, below 0 for references: (T,) int32."""
        places = torch.arange(self.references + self.ring, dtype=torch.int32, device=like.device)
        return places - self.references


class OldestOut(PlaceRule):
    """A ring: the newest frames stay. ``cursor`` (B,) int32 is the tracked place that is written next."""

    def first(self, memory: Memory) -> Facts:
        key = memory[0].key
        return {"cursor": torch.zeros(key.shape[0], dtype=torch.int32, device=key.device)}

    def next(self, state: Facts, memory: Memory, confidence: Tensor, due: Tensor) -> tuple[Tensor, Facts]:
        cursor = state["cursor"]
        where = torch.logical_and(self.tracked(cursor) == cursor.unsqueeze(1), due.unsqueeze(1))  # B T
        return where, {"cursor": torch.where(due, (cursor + 1) % self.ring, cursor)}


class LeastValuableOut(PlaceRule):
    """Frames stay that are confident and differ from one another; one in which no object is seen is not written.

    ``descriptor`` (B, T, A) and ``confidence`` (B, T) are the facts that ``StoredFrame`` has of a frame. ``age`` (B, T)
    int32 counts the candidates since a place was written: 0 for the last one, and never the same for two places.
    """

    def first(self, memory: Memory) -> Facts:
        descriptor, places = descriptors(memory), self.references + self.ring
        batch = descriptor.shape[0]
        age = torch.arange(places, 0, -1, dtype=torch.int32, device=descriptor.device)
        return {
            "descriptor": F.pad(descriptor, (0, 0, 0, places - 1)),
            "confidence": F.pad(torch.ones(batch, 1, device=descriptor.device), (0, places - 1)),
            "age": age.repeat(batch, 1),
        }

    def next(self, state: Facts, memory: Memory, confidence: Tensor, due: Tensor) -> tuple[Tensor, Facts]:
        descriptor, known, mask = descriptors(memory), state["descriptor"], state["memory_mask"]
        value = state["confidence"] * novelty(known, mask, descriptor)
        value = value.masked_fill(mask == 0, -1.0)  # a free place comes before all others
        value = value.masked_fill(self.tracked(mask) < 0, torch.inf)  # and a reference is never replaced
        enters = torch.logical_and(due.unsqueeze(1), confidence > 0)
        where = torch.logical_and(oldest_of_lowest(value, state["age"]), enters)
        age = state["age"] + due.unsqueeze(1).int()
        return where, {
            "descriptor": torch.where(where.unsqueeze(2), descriptor, known),
            "confidence": torch.where(where, confidence, state["confidence"]),
            "age": torch.where(where, torch.zeros_like(age), age),
        }


RULES: dict[str, type[PlaceRule]] = {"ring": OldestOut, "bounded": LeastValuableOut}
"""By the names of the memory policies that they follow."""


def descriptors(memory: Memory) -> Tensor:
    """The mean key of the first layer of a memory of one frame, by which frames are compared: (B, 1, A) float32."""
    return memory[0].key.float().mean(dim=1, keepdim=True)


def novelty(descriptor: Tensor, memory_mask: Tensor, newest: Tensor) -> Tensor:
    """The distance of the frame in each place from the nearest other one, the new one among them; at
    least ``SAME_VIEW``.

    Args:
        descriptor: (B, T, A). memory_mask: (B, T), 1 for each place that is taken. newest: (B, 1, A) of the new frame.

    Returns:
        (B, T); numbers without a meaning for free places.
    """
    others = torch.cat([newest, descriptor], dim=1)  # B T+1 A
    apart = descriptor.unsqueeze(2) - others.unsqueeze(1)  # B T T+1 A
    numbers = torch.arange(others.shape[1], device=others.device)
    itself = numbers[1:].unsqueeze(1) == numbers  # T T+1
    free = F.pad(memory_mask, (1, 0), value=1.0).unsqueeze(1) == 0  # B 1 T+1
    squares = (apart * apart).sum(dim=3).masked_fill(torch.logical_or(free, itself), torch.inf)
    return squares.amin(dim=2).clamp_min(SAME_VIEW**2).sqrt()


def oldest_of_lowest(value: Tensor, age: Tensor) -> Tensor:
    """The place of the lowest value, the oldest where several have it: (B, T) each -> bool (B, T), true in one."""
    age = age.masked_fill(value > value.amin(dim=1, keepdim=True), -1)
    return age == age.amax(dim=1, keepdim=True)
