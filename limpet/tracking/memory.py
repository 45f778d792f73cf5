"""What happens to the long-term memory when a frame enters or leaves it. New frames are put in front."""

from __future__ import annotations

import torch

from limpet.state import LayerMemory, Memory


def with_newest(memory: Memory, newest: Memory) -> Memory:
    """``newest`` in front of ``memory``, in every layer."""
    return tuple(
        LayerMemory(torch.cat([new.key, old.key], dim=1), torch.cat([new.value, old.value], dim=1))
        for new, old in zip(newest, memory, strict=True)
    )


def drop_newest(memory: Memory, tokens: int) -> Memory:
    """``memory`` without its first ``tokens`` tokens; an only frame is replaced rather than kept beside."""
    return tuple(LayerMemory(layer.key[:, tokens:], layer.value[:, tokens:]) for layer in memory)
