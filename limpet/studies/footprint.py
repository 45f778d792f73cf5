"""The footprint of a tracker: its parameters, and the largest number of bytes in tensors that are alive at once."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from limpet.tracking.tracker import Tracker

HEIGHT, WIDTH = 480, 854
FRAMES = 3


@dataclass(frozen=True)
class Footprint:
    """parameters: how many numbers are learned. peak_mb: in 10^6 bytes, see ``footprint``."""

    parameters: int
    peak_mb: float


def footprint(tracker: Tracker, frames: int = FRAMES, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Footprint:
    """Measure ``tracker`` on a few frames of noise with one object.

    The peak counts weights, state and every intermediate result: what a device must hold. The workspace of torch's
    kernels and Python itself are left out, so that the number is the same on every machine and at any load.

    Args:
        frames: at least 2. size: (H, W) of the frames.
    """
    chance = np.random.default_rng(0)
    pictures = chance.integers(0, 256, (frames, *size, 3), dtype=np.uint8)
    mask = np.zeros(size, np.uint8)
    mask[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = 1
    learned = list(tracker.model.parameters())
    weights = [*learned, *tracker.model.buffers()]
    tally = Tally(weights)
    with tally:
        state = tracker.start(pictures[0], mask)
        for picture in pictures[1:]:
            _, state = tracker.step(picture, state)
    return Footprint(sum(p.numel() for p in learned), tally.peak / 1e6)


class Tally(TorchDispatchMode):
    """Counts the bytes of ``held`` tensors and of all that are made in its context, until they are freed."""

    def __init__(self, held: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._alive: set[int] = set()
        for tensor in held:
            self._count(tensor)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves((args, result)):
            if isinstance(value, Tensor):
                self._count(value)
        return result

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._alive:
            return
        self._alive.add(key)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._free, key, storage.nbytes())

    def _free(self, key: int, nbytes: int) -> None:
        self._alive.discard(key)
        self.now -= nbytes
