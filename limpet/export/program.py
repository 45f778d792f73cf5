"""From a tracker to its two captured graphs: plain tensors in and out, in a fixed order, each with a name.

Backends take a ``Program`` and write it in their own format. What goes in and out: ``limpet.models.fixed``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from limpet.errors import ModelError
from limpet.export.blame import first_line, layer_that_raised
from limpet.export.dynamic import OpenBegin, OpenStep, Shapes, begin_shapes, open_specs, step_shapes
from limpet.models.base import Model
from limpet.models.fixed import BeginGraph, FixedConfig, StepGraph
from limpet.runtime.manifest import TensorSpec

FRAME_OUTPUTS = ("mask", "scores", "sure")
"""What a step gives besides the state."""


class FlatBegin(nn.Module):
    """``BeginGraph`` with the state as a tuple of tensors instead of a dict."""

    def __init__(self, graph: BeginGraph) -> None:
        super().__init__()
        self.tracker = graph

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.tracker(image, mask).values())


class FlatStep(nn.Module):
    """``StepGraph`` over (image, *state): the state's tensors in the order of ``names``."""

    def __init__(self, graph: StepGraph, names: Sequence[str]) -> None:
        super().__init__()
        self.tracker, self.names = graph, tuple(names)

    def forward(self, image: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        mask, scores, sure, after = self.tracker(image, dict(zip(self.names, state, strict=True)))
        return (mask, scores, sure, *after.values())


@dataclass(frozen=True)
class Program:
    """One graph, ready to be written.

    Attributes:
        name: "begin" or "step".
        shapes: which sides of the inputs stay open, as ``torch.export`` wants it; None for none.
        module: the graph as a module that takes ``examples`` and gives a tuple of tensors.
        examples: one tensor for each input.
        inputs, outputs: names, shapes and types, in order. A step's outputs bear the plain names of the state.
    """

    name: str
    module: nn.Module
    examples: tuple[Tensor, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    shapes: Shapes | None = None

    @cached_property
    def exported(self) -> ExportedProgram:
        """The graph as torch captured it. Raises ModelError when it cannot be captured."""
        try:
            return torch.export.export(self.module, self.examples, strict=False, dynamic_shapes=self.shapes)
        except Exception as error:
            raise ModelError(
                f"torch cannot capture the {self.name} graph as one graph of tensors: "
                f"{first_line(error)} (in {layer_that_raised(error, self.module)})"
            ) from error

    @property
    def input_names(self) -> list[str]:
        """Of the inputs, in order."""
        return [spec.name for spec in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """Outputs by names that no input has: ``new.`` stands before those of the state."""
        taken = set(self.input_names)
        return [f"new.{spec.name}" if spec.name in taken else spec.name for spec in self.outputs]


@dataclass(frozen=True)
class Programs:
    """Both graphs of a tracker, and what is fixed in them. any_size: sizes are open, those of ``config`` an example."""

    begin: Program
    step: Program
    config: FixedConfig
    any_size: bool = False


@torch.no_grad()
def make_programs(model: Model, config: FixedConfig, any_size: bool = False) -> Programs:
    """Both graphs of a model as ``for_inference`` made it.

    Args:
        any_size: leave the sizes open; those of ``config`` are an example then.

    Raises:
        ModelError: numbers that the model cannot have.
    """
    begin = FlatBegin((OpenBegin if any_size else BeginGraph)(model, config)).eval()
    image = torch.zeros(1, 3, *config.network_size)
    mask = torch.zeros(1, *config.frame_size, dtype=torch.uint8)
    state = begin.tracker(image, mask)
    step = FlatStep((OpenStep if any_size else StepGraph)(model, config), list(state)).eval()
    examples = (image, *(tensor.clone() for tensor in state.values()))
    given = step(*examples)
    changed = list(step.tracker(image, state)[3])
    programs = Programs(
        Program("begin", begin, (image, mask), _specs(("image", "mask"), (image, mask)), _specs(state, examples[1:])),
        Program("step", step, examples, _specs(("image", *state), examples), _specs((*FRAME_OUTPUTS, *changed), given)),
        config,
    )  # fmt: skip
    return _opened(programs, model.config.align_corners, list(state)) if any_size else programs


def _opened(programs: Programs, align_corners: bool, state: Sequence[str]) -> Programs:
    begin, step = (
        replace(
            program, inputs=open_specs(program.inputs), outputs=open_specs(program.outputs), shapes=shapes
        )
        for program, shapes in (
            (programs.begin, begin_shapes(align_corners)),
            (programs.step, step_shapes(align_corners, state)),
        )
    )
    return replace(programs, begin=begin, step=step, any_size=True)


def _specs(names: Sequence[str] | dict[str, Tensor], tensors: Sequence[Tensor]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in zip(names, tensors, strict=True)
    )
