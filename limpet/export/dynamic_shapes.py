"""Graphs for frames of any size: what differs from the graphs of fixed size.

The image's sides stay open, and with them the number of tokens in the state. A step takes the
frame's size from one more value of the state: ``frame`` (B, H, W) uint8, of which only the shape is used.

Exporters are known to fall back to one size without saying so; ``check_open`` therefore checks what they wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim

from limpet.core.errors import ModelError
from limpet.core.sizes import STRIDE
from limpet.models.fixed_size import FixedState, StartGraph, StepGraph
from limpet.runtime.manifest import TensorSpec

FRAME = "frame"
EXAMPLE_SIZE = (100, 150)
"""Frames (H, W) that the graphs are captured with: the sides differ, and neither is another number of the graphs."""
MIN_CELLS = 2
"""Sides of the feature map: a side of one cell would be captured as a constant."""

Shapes = tuple[Any, ...]


class _OpenSizes:
    def nearest(self, mask: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """See the graphs of fixed size; here for the sizes of the given mask and image."""
        return _nearest(mask.shape[1], image.shape[2]), _nearest(mask.shape[2], image.shape[3])


class DynamicStart(_OpenSizes, StartGraph):
    """``StartGraph`` whose sizes follow from what it is given."""

    def forward(self, image: Tensor, mask: Tensor) -> FixedState:
        return {FRAME: mask, **super().forward(image, mask)}


class DynamicStep(_OpenSizes, StepGraph):
    """``StepGraph`` whose sizes follow from what it is given."""

    def mask_size(self, state: FixedState) -> tuple[int, int]:
        height, width = state[FRAME].shape[1:]
        return height, width


def start_shapes(align_corners: bool) -> Shapes:
    """What stays open in a start graph's inputs, as ``torch.export`` wants it."""
    return image_shape(align_corners), {1: Dim.AUTO, 2: Dim.AUTO}


def step_shapes(align_corners: bool, state: Sequence[str]) -> Shapes:
    """What stays open in a step graph's inputs: the image's sides, the frame's, and the numbers of tokens."""
    return image_shape(align_corners), tuple(_state_shape(name) for name in state)


def image_shape(align_corners: bool) -> dict[int, Any]:
    """Sides of 16k + 1, or 16k: declared as such, they can be divided without a remainder."""
    rows, columns = Dim("rows", min=MIN_CELLS), Dim("columns", min=MIN_CELLS)
    beyond = int(align_corners)
    return {2: STRIDE * rows + beyond, 3: STRIDE * columns + beyond}


def open_specs(specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """Specs of the example with -1 for every side that is open."""
    return tuple(TensorSpec(spec.name, _open(spec), spec.dtype) for spec in specs)


def check_open(what: str, specs: Sequence[TensorSpec], shapes: dict[str, Sequence[int | None]]) -> None:
    """Raise ModelError where a side should be open but a backend wrote a number.

    Args:
        what: the graph, for the message.
        specs: with -1 for open sides.
        shapes: of the same tensors in the backend's file, None for open sides.
    """
    for spec in specs:
        for axis, (wanted, found) in enumerate(zip(spec.shape, shapes[spec.name], strict=True)):
            if wanted == -1 and found is not None:
                raise ModelError(
                    f"{what} was to take any size, but side {axis} of {spec.name!r} came out as {found}: the exporter "
                    f"fixed it; export with --size HxW, and report the versions of torch and of the backend"
                )


def _open(spec: TensorSpec) -> tuple[int, ...]:
    if spec.name in ("image", "logits"):
        return (*spec.shape[:2], -1, -1)
    if spec.name in ("mask", FRAME):
        return (spec.shape[0], -1, -1)
    if spec.name.startswith(("long.", "short.")):
        return (spec.shape[0], -1, spec.shape[2])
    return spec.shape


def _state_shape(name: str) -> dict[int, Any]:
    if name == FRAME:
        return {1: Dim.AUTO, 2: Dim.AUTO}
    return {1: Dim.AUTO} if name.startswith(("long.", "short.")) else {}


def _nearest(source: int, target: int) -> Tensor:
    """Which of ``source`` pixels each of ``target`` pixels takes, as ``interpolate`` chooses them: (target,) int64."""
    numbers = torch.arange(target, dtype=torch.float32)
    return (numbers * (source / target)).floor().long().clamp_max(source - 1)
