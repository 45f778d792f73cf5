"""What a model remembers of past frames: keys and values of every layer, frame beside frame, the newest first.

This module is the only place that knows how frames lie in a memory: all others select, append and drop whole frames.
A memory never changes. What ``frame`` and ``split`` return shares its tensors; ``select`` and ``drop`` copy.

    memory = memory.append(newest)          # one more frame, in front
    memory = memory.select([0, 2])          # the newest frame and the third
    both   = join_memories([one, other], along="batch")

Legend: B batch; T frames; M tokens of one frame, a number of each layer's own; A and V widths of keys and values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class LayerMemory(NamedTuple):
    """What one layer keeps: keys (B, T*M, A) and visual-and-identity values (B, T*M, V)."""

    key: Tensor
    value: Tensor


@dataclass(frozen=True, eq=False)
class Memory:
    """The memories of all layers. It can be iterated over and indexed by layer.

    layers: one LayerMemory per layer; layers may differ in M, A and V.
    frames: T, the same in every layer; 0 for a memory that has lost all of its frames.
    """

    layers: tuple[LayerMemory, ...]
    frames: int = 1

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[LayerMemory]:
        return iter(self.layers)

    def __getitem__(self, layer: int) -> LayerMemory:
        return self.layers[layer]

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.numel() * tensor.element_size() for layer in self.layers for tensor in layer)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of every tensor without the batch; memories of equal shapes can be joined along the batch."""
        return tuple(tuple(tensor.shape[1:]) for layer in self.layers for tensor in layer)

    def frame(self, index: int) -> Memory:
        """The memory of one frame, 0 being the newest; it shares this memory's tensors."""
        if not 0 <= index < self.frames:
            raise IndexError(f"frame {index} of a memory of {self.frames} frames; the newest is frame 0")

        def cut(tensor: Tensor) -> Tensor:
            tokens = tensor.shape[1] // self.frames
            return tensor[:, index * tokens : (index + 1) * tokens]

        return self.map(cut, frames=1)

    def select(self, indices: Sequence[int]) -> Memory:
        """A copy with these frames alone, in this order."""
        if not indices:
            return self.map(lambda tensor: tensor[:, :0].clone(), frames=0)
        return _joined([self.frame(index) for index in indices], "frames")

    def drop(self, index: int) -> Memory:
        """A copy without one frame."""
        return self.select([kept for kept in range(self.frames) if kept != index])

    def append(self, newest: Memory, keep: Sequence[int] | None = None) -> Memory:
        """With the frames of ``newest`` in front.

        Args:
            keep: of the frames so far, those that stay, in this order; None keeps all. Everything is copied once.
        """
        earlier = [self] if keep is None else [self.frame(index) for index in keep]
        return join_memories([newest, *earlier], along="frames")

    def padded(self, frames: int) -> Memory:
        """With zeros behind the frames so far, so that there is room for ``frames`` (at least 1 is there)."""

        def pad(tensor: Tensor) -> Tensor:
            return F.pad(tensor, (0, 0, 0, (frames - self.frames) * (tensor.shape[1] // self.frames)))

        return self.map(pad, frames=frames)

    def written(self, newest: Memory, where: Tensor) -> Memory:
        """A copy with the one frame of ``newest`` in the place of others.

        Args:
            where: bool (B, T), the frames that are replaced.
        """
        layers = []
        for old, new in zip(self.layers, newest.layers, strict=True):
            parts = []
            for kept, fresh in zip(old, new, strict=True):
                frames = kept.unflatten(1, (self.frames, fresh.shape[1]))  # B T M A
                parts.append(torch.where(where[:, :, None, None], fresh.unsqueeze(1), frames).flatten(1, 2))
            layers.append(LayerMemory(*parts))
        return Memory(tuple(layers), self.frames)

    def split(self) -> list[Memory]:
        """One memory for each element of the batch; they share this memory's tensors."""
        batch = self.layers[0].key.shape[0]
        return [self.map(lambda tensor, b=b: tensor[b : b + 1]) for b in range(batch)]  # type: ignore[misc]

    def map(self, function: Callable[[Tensor], Tensor], frames: int | None = None) -> Memory:
        """``function`` of every tensor. frames: how many there are afterwards, where the number changes."""
        layers = tuple(LayerMemory(function(key), function(value)) for key, value in self.layers)
        return Memory(layers, self.frames if frames is None else frames)

    def named(self, prefix: str = "") -> dict[str, Tensor]:
        """All tensors, each called ``<prefix><layer>.key`` or ``<prefix><layer>.value``."""
        return {
            f"{prefix}{number}.{kind}": tensor
            for number, layer in enumerate(self.layers)
            for kind, tensor in zip(LayerMemory._fields, layer, strict=True)
        }

    @classmethod
    def of_named(
        cls, tensors: Mapping[str, Tensor], prefix: str = "", frames: int = 1, layers: int | None = None
    ) -> Memory:
        """The memory whose tensors ``named`` returned.

        Args:
            tensors: these and possibly others.
            layers: how many there are; None takes all that are there.

        Raises:
            KeyError: a tensor is missing.
        """
        if layers is None:
            layers = sum(name.startswith(prefix) and name.endswith(".key") for name in tensors)
        return cls(
            tuple(
                LayerMemory(*(tensors[f"{prefix}{number}.{kind}"] for kind in LayerMemory._fields))
                for number in range(layers)
            ),
            frames,
        )


def join_memories(memories: Sequence[Memory], along: Literal["frames", "batch"]) -> Memory:
    """Several memories as one. A single one is returned itself.

    Args:
        along: "frames" puts the frames of the first memory in front; "batch" needs memories of equal ``shapes``.
    """
    return memories[0] if len(memories) == 1 else _joined(memories, along)


def _joined(memories: Sequence[Memory], along: Literal["frames", "batch"]) -> Memory:
    dim = 1 if along == "frames" else 0
    layers = tuple(
        LayerMemory(*(torch.cat(parts, dim=dim) for parts in zip(*layer, strict=True)))
        for layer in zip(*memories, strict=True)
    )
    return Memory(layers, sum(memory.frames for memory in memories) if dim else memories[0].frames)
