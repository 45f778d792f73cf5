"""Groups of objects that pass through the network as one batch, where their memories have equal shapes.

On a GPU, five groups then cost little more than one; on a CPU nothing is gained.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from limpet.memory import Memory, join_memories
from limpet.models.base import Features, Model, Pending, keep_slots
from limpet.state import GroupState


class BatchedGroups:
    """One frame through the network for all groups of a state.

    Args:
        features: of the frame, (1, …).
        at_once: whether groups with memories of equal shapes pass as one batch; otherwise each passes by itself.

    Attributes:
        logits: of each group, (1, N+1, H/4, W/4), in the order of the groups.
    """

    def __init__(self, model: Model, features: Features, groups: Sequence[GroupState], at_once: bool) -> None:
        self._model = model
        self._pending: list[tuple[tuple[int, ...], Pending]] = []
        found: dict[int, Tensor] = {}
        for members in batches_of(groups, at_once):
            chosen = [groups[position] for position in members]
            repeated = features.expand(len(chosen))
            long_term = join_memories([group.long_term for group in chosen], along="batch")
            short_term = join_memories([group.short_term for group in chosen], along="batch")
            tokens, pending = model.propagate(repeated, long_term, short_term)
            planes = model.decode(tokens, repeated).split(1)
            for position, group, part in zip(members, chosen, planes, strict=True):
                found[position] = keep_slots(part, [len(group.object_ids)])
            self._pending.append((members, pending))
        self.logits = [found[position] for position in range(len(groups))]

    def remember(self, embeddings: Sequence[Tensor]) -> list[Memory]:
        """Each group's memory of the frame, from what ``Model.identify`` made of its masks."""
        found: dict[int, Memory] = {}
        for members, pending in self._pending:
            if len(members) == 1:
                found[members[0]] = self._model.remember(pending, embeddings[members[0]])
                continue
            memory = self._model.remember(pending, torch.cat([embeddings[at] for at in members]))
            found |= zip(members, memory.split(), strict=True)
        return [found[position] for position in range(len(embeddings))]


def batches_of(groups: Sequence[GroupState], at_once: bool) -> list[tuple[int, ...]]:
    """Positions of the groups that pass together: those with memories of equal shapes, or each by itself."""
    if not at_once:
        return [(position,) for position in range(len(groups))]
    alike: dict[object, list[int]] = {}
    for position, group in enumerate(groups):
        alike.setdefault((group.long_term.shapes, group.short_term.shapes), []).append(position)
    return [tuple(members) for members in alike.values()]
