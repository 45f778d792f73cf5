"""From a tracker to its two captured graphs: plain tensors in and out, in a fixed order, each with a name.

A format's module takes a ``Program`` and writes it. ``limpet.models.fixed_size`` says what goes in and out. The
functions at the end tell which operation, in which layer of the model, could not be captured or written.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from limpet.core.errors import ModelError
from limpet.export.dynamic_shapes import (
    DynamicStart,
    DynamicStep,
    Shapes,
    open_specs,
    start_shapes,
    step_shapes,
)
from limpet.models.base import Model
from limpet.models.fixed_size import FixedConfig, StartGraph, StepGraph
from limpet.models.stcn import STCNConfig
from limpet.runtime.manifest import TensorSpec

FRAME_OUTPUTS = ("mask", "logits", "soft_iou")
"""What a step gives besides the state."""


class FlatStart(nn.Module):
    """``StartGraph`` with the state as a tuple of tensors instead of a dict."""

    def __init__(self, graph: StartGraph) -> None:
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
        mask, logits, soft_iou, after = self.tracker(image, dict(zip(self.names, state, strict=True)))
        return (mask, logits, soft_iou, *after.values())


@dataclass(frozen=True)
class Program:
    """One graph, ready to be written.

    Attributes:
        name: "start" or "step".
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
                f"{first_line(error)} (in {layer_of_error(error, self.module)})"
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

    start: Program
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
    model = _reading_the_ring_alone(model, config)
    start = FlatStart((DynamicStart if any_size else StartGraph)(model, config)).eval()
    image = torch.zeros(1, 3, *config.network_size)
    mask = torch.zeros(1, *config.frame_size, dtype=torch.uint8)
    state = start.tracker(image, mask)
    step = FlatStep((DynamicStep if any_size else StepGraph)(model, config), list(state)).eval()
    examples = (image, *(tensor.clone() for tensor in state.values()))
    given = step(*examples)
    changed = list(step.tracker(image, state)[3])
    programs = Programs(
        Program("start", start, (image, mask), _specs(("image", "mask"), (image, mask)), _specs(state, examples[1:])),
        Program("step", step, examples, _specs(("image", *state), examples), _specs((*FRAME_OUTPUTS, *changed), given)),
        config,
    )  # fmt: skip
    return _opened(programs, model.config.align_corners, list(state)) if any_size else programs


def _reading_the_ring_alone(model: Model, config: FixedConfig) -> Model:
    """A model that would read the previous frame twice reads it once: a ring of gap 1 holds it at all times."""
    held = config.ring > 0 and config.gap == 1 and config.memory == "ring"
    if not (held and isinstance(model.config, STCNConfig) and model.config.reads_previous):
        return model
    lean = copy.copy(model)
    lean.config = replace(model.config, reads_previous=False)
    return lean


def _opened(programs: Programs, align_corners: bool, state: Sequence[str]) -> Programs:
    start, step = (
        replace(
            program, inputs=open_specs(program.inputs), outputs=open_specs(program.outputs), shapes=shapes
        )
        for program, shapes in (
            (programs.start, start_shapes(align_corners)),
            (programs.step, step_shapes(align_corners, state)),
        )
    )
    return replace(programs, start=start, step=step, any_size=True)


def _specs(names: Sequence[str] | dict[str, Tensor], tensors: Sequence[Tensor]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in zip(names, tensors, strict=True)
    )


PREFIX = re.compile(r"^(?:tracker\.)*(?:model\.)?")


def operator_and_layer(error: BaseException, exported: ExportedProgram) -> str | None:
    """``aten.x.default in layers.0.long_term`` for the node that an error names; None if it names none."""
    for message in _chain(error):
        named = re.search(r"translating node %(\w+)", message)
        if named:
            nodes = {node.name: node for node in exported.run_decompositions().graph.nodes}
            node = nodes.get(named[1])
            return f"{node.target} in {layer_of(node)}" if node is not None else named[1]
    return None


def layer_of(node: torch.fx.Node) -> str:
    """The module whose forward pass called the operator, as the model names it."""
    stack = node.meta.get("nn_module_stack") or {}
    return innermost_layer([str(path) for path, _ in stack.values()])


def innermost_layer(paths: Sequence[str]) -> str:
    """Of the paths of modules that were running, the outermost first, the last one, as the model names it."""
    path = next((path for path in reversed(paths) if path), "")
    return PREFIX.sub("", path) or "the tracker itself"


def layer_of_error(error: BaseException, module: nn.Module) -> str:
    """The innermost layer of ``module`` that was running when the error came."""
    names = {id(layer): name for name, layer in module.named_modules()}
    found, trace = "", error.__traceback__
    while trace is not None:
        found = names.get(id(trace.tb_frame.f_locals.get("self")), found)
        trace = trace.tb_next
    return innermost_layer([found])


def first_line(error: BaseException) -> str:
    """The first line of an error's message that is not empty; of a chain of errors, of the first cause."""
    last = list(_chain(error))[-1]
    return next((line.strip() for line in last.splitlines() if line.strip()), type(error).__name__)


def _chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield str(error)
        error = error.__cause__
