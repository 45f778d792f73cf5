"""Groups of objects that pass through the network as one batch, where their memories are of one length.

On a GPU five groups then cost little more than one; on a CPU there is nothing to gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from limpet.models.base import Features, Model, Pending, keep_slots
from limpet.state import GroupState, LayerMemory, Memory


class Batch(NamedTuple):
    """Positions of the groups in the state, each group's scores (1, N+1, h, w), and what ``remember`` takes of all."""

    members: tuple[int, ...]
    scores: list[Tensor]
    pending: Pending


def batches_of(groups: Sequence[GroupState], at_once: bool) -> list[tuple[int, ...]]:
    """Positions of the groups that pass together: those with as many long-term tokens, or each by itself."""
    if not at_once:
        return [(position,) for position in range(len(groups))]
    alike: dict[int, list[int]] = {}
    for position, group in enumerate(groups):
        alike.setdefault(group.long_term[0].key.shape[1], []).append(position)
    return [tuple(members) for members in alike.values()]


def propagate(
    model: Model, features: Features, groups: Sequence[GroupState], members: tuple[int, ...]
) -> Batch:
    """One pass of the network for the groups at ``members``.

    Args:
        features: of one frame, (1, …).
    """
    chosen = [groups[position] for position in members]
    repeated = Features(*(plane.expand(len(chosen), -1, -1, -1) for plane in features))
    long_term = _stacked([group.long_term for group in chosen])
    tokens, pending = model.propagate(repeated, long_term, _stacked([group.short_term for group in chosen]))
    planes = model.decode(tokens, repeated)
    scores = [
        keep_slots(part, [len(group.object_ids)]) for part, group in zip(planes.split(1), chosen, strict=True)
    ]
    return Batch(members, scores, pending)


def remember(model: Model, batch: Batch, embeddings: Sequence[Tensor]) -> list[Memory]:
    """The memory of the frame for each group of the batch; ``embeddings`` are the groups', each (1, h*w, C)."""
    memory = model.remember(
        batch.pending, torch.cat(list(embeddings)) if len(embeddings) > 1 else embeddings[0]
    )
    if len(batch.members) == 1:
        return [memory]
    return [
        tuple(LayerMemory(layer.key[i : i + 1], layer.value[i : i + 1]) for layer in memory)
        for i in range(len(batch.members))
    ]


def _stacked(memories: Sequence[Memory]) -> Memory:
    if len(memories) == 1:
        return memories[0]
    return tuple(
        LayerMemory(torch.cat([part.key for part in layer]), torch.cat([part.value for part in layer]))
        for layer in zip(*memories, strict=True)
    )
