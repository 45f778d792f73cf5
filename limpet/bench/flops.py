"""Counts the floating-point operations and the bytes moved of whatever torch runs; ``Work`` says what counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from limpet.bench.stages import Reading
from limpet.bench.target import Work
from limpet.models import build_model
from limpet.models.fixed_size import FixedConfig, StartGraph, StepGraph
from limpet.models.inference import for_inference
from limpet.registry import find
from limpet.runtime.manifest import Manifest


@dataclass(frozen=True)
class Count:
    """flops: floating-point operations; moved: bytes."""

    flops: Callable[[], float]
    moved: Callable[[], float]

    def read(self) -> Reading:
        """Both, for a ``StageTimer``."""
        return np.array([self.flops(), self.moved()])


@contextmanager
def counting() -> Iterator[Count]:
    """Count everything that torch computes in the context."""
    fused = {torch.ops.mkldnn._convolution_pointwise: _fused_convolution}
    traffic, flops = _Traffic(), FlopCounterMode(display=False, custom_mapping=fused)
    # The counter of operations is the inner one: it takes composite operations apart, and the other sees the parts.
    with traffic, flops:
        yield Count(lambda: float(flops.get_total_flops()), lambda: float(traffic.moved))


def _fused_convolution(x: Any, weight: Any, *rest: Any, out_shape: Any = None, **more: Any) -> int:
    """Of limpet/models/fused_convolution.py; the ReLU in it does not count."""
    return int(conv_flop_count(x, weight, out_shape))


def nbytes(tensor: Tensor) -> int:
    """The bytes of the numbers that ``tensor`` really holds: an expanded one repeats them without memory of its own."""
    sizes = (size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride or size == 0)
    return int(np.prod(list(sizes), dtype=np.int64)) * tensor.element_size()


class _Traffic(TorchDispatchMode):
    """Sums up the bytes that operations read and write."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.moved = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        read = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        written = [value for value in tree_leaves(result) if isinstance(value, Tensor)]
        known = {tensor.untyped_storage()._cdata for tensor in read}
        in_place = func._schema.is_mutable
        new = [t for t in written if in_place or t.untyped_storage()._cdata not in known]
        if new:
            self.moved += sum(map(nbytes, read)) + sum(map(nbytes, new))
        return result


@torch.inference_mode()
def count_graph(manifest: Manifest, frame_size: tuple[int, int], network_size: tuple[int, int]) -> Work:
    """The operations of an exported tracker's step, from its graph with random weights, run once by torch.

    Args:
        frame_size: (H, W) of the frames. network_size: (h, w) of the network input.
    """
    config = FixedConfig(
        frame_size,
        network_size,
        manifest.objects,
        manifest.references,
        manifest.ring,
        manifest.gap,
        manifest.memory,
    )
    model = for_inference(build_model(find(manifest.model).config()), torch.device("cpu"), "fp32")
    image = torch.zeros(1, 3, *network_size)
    mask = torch.zeros(1, *frame_size, dtype=torch.uint8)
    state = StartGraph(model, config)(image, mask)
    with counting() as count:
        StepGraph(model, config)(image, state)
    return Work({"step": (count.flops(), 0.0)}, moved_is_known=False)
