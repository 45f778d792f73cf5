"""Core ML: ``start.mlpackage`` and ``step.mlpackage``, for iOS 17 and macOS 14 or later.

coremltools converts on any system; only Apple's systems can run the result, so limpet has no engine for it.

Core ML has no tensors of bytes: masks are int32 there. It takes no dots in names and no equal names for an input and
an output: ``long.0.key`` is ``long_0_key`` among the inputs, and ``new_long_0_key`` among a step's outputs.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import torch
from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY
from coremltools.converters.mil.frontend.torch.utils import sanitize_op_kind
from torch import Tensor, nn
from torch.export import ExportedProgram

from limpet.core.errors import ModelError
from limpet.export.program import Program, Programs, first_line, layer_of
from limpet.export.writer import ExportOptions, Written
from limpet.runtime.manifest import GraphSpec, TensorSpec

TARGET = ct.target.iOS17
PRECISIONS = {"fp32": ct.precision.FLOAT32, "fp16": ct.precision.FLOAT16}
NOTE = "Core ML files were converted and checked for what goes in and out, but never run: that takes a Mac or a phone"


class IntegerMasks(nn.Module):
    """A graph that takes tensors by name, and whose uint8 tensors come and go as int32."""

    def __init__(self, graph: nn.Module, inputs: Sequence[TensorSpec]) -> None:
        super().__init__()
        self.tracker = graph
        self.bytes = tuple(spec.dtype == "uint8" for spec in inputs)

    def forward(self, **tensors: Tensor) -> tuple[Tensor, ...]:
        pairs = zip(tensors.values(), self.bytes, strict=True)
        given = (tensor.to(torch.uint8) if narrow else tensor for tensor, narrow in pairs)
        return tuple(t.int() if t.dtype == torch.uint8 else t for t in self.tracker(*given))


def write(programs: Programs, folder: Path, options: ExportOptions) -> Written:
    """Write both graphs into ``folder``. Raises ModelError for an operation that Core ML does not have."""
    for program in (programs.start, programs.step):
        model = to_coreml(program, options.precision)
        with _listening():
            model.save(str(folder / f"{program.name}.mlpackage"))
    return Written(graph_spec(programs.start), graph_spec(programs.step), (NOTE,))


def graph_spec(program: Program) -> GraphSpec:
    """How ``write`` lays a program down: masks are int32."""
    inputs, outputs = (
        tuple(replace(spec, dtype="int32") if spec.dtype == "uint8" else spec for spec in side)
        for side in (program.inputs, program.outputs)
    )
    return GraphSpec(f"{program.name}.mlpackage", inputs, outputs)


def inner_names(program: Program) -> tuple[list[str], list[str]]:
    """What inputs and outputs are called within the file."""
    return tuple(
        [name.replace(".", "_") for name in side] for side in (program.input_names, program.output_names)
    )  # type: ignore[return-value]


def to_coreml(program: Program, precision: str) -> Any:
    """One graph as an ML program. Raises ModelError for an operation that Core ML does not have."""
    try:
        with _listening():
            captured = capture(program)
    except Exception as error:
        raise ModelError(
            f"the {program.name} graph cannot be captured for Core ML: {first_line(error)}"
        ) from error
    names, specs = inner_names(program)[1], graph_spec(program).outputs
    outputs = [
        ct.TensorType(name=name, dtype=np.dtype(spec.dtype).type)
        for name, spec in zip(names, specs, strict=True)
    ]
    with _listening() as said:
        try:
            return ct.convert(
                captured,
                outputs=outputs,
                minimum_deployment_target=TARGET,
                compute_precision=PRECISIONS[precision],
                skip_model_load=True,
            )
        except Exception as error:  # its errors share no base class
            raise ModelError(explain(program, captured, error, said)) from error


def capture(program: Program) -> ExportedProgram:
    """The graph with int32 masks, in the operators that coremltools reads."""
    module = IntegerMasks(program.module, program.inputs)
    # tokens that were planes are laid out as such, and Core ML takes tensors in the order of their dimensions alone
    examples = (t.int() if t.dtype == torch.uint8 else t.contiguous() for t in program.examples)
    named = dict(zip(inner_names(program)[0], examples, strict=True))
    with torch.no_grad():
        exported: ExportedProgram = torch.export.export(module, (), named, strict=False).run_decompositions(
            {}
        )
    for node in list(exported.graph.nodes):
        if node.target is torch.ops.aten.alias.default:
            node.replace_all_uses_with(node.args[0])
            exported.graph.erase_node(node)
        elif node.target is torch.ops.aten.__or__.Tensor:  # of two truths, here
            node.target = torch.ops.aten.logical_or.default
    exported.graph_module.recompile()
    return exported


def explain(program: Program, captured: ExportedProgram, error: BaseException, said: Sequence[str]) -> str:
    """One sentence about a conversion that failed: the operators in question, with their layers.

    Args:
        said: the log of coremltools; it names an operator that it knows but cannot convert in this form.
    """
    blamed = set(re.findall(r"converting '(\w+)' op", " ".join(said)))
    found = dict.fromkeys(
        f"{kind} in {layer_of(node)}"
        for node in captured.graph.nodes
        if node.op == "call_function"
        for kind in [_kind(node)]
        if kind in blamed or kind not in _TORCH_OPS_REGISTRY
    )
    if found:
        listed = "; ".join([*found][:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        return (
            f"Core ML cannot take the {program.name} graph: it has no operation for {listed} "
            f"({first_line(error)}); export to another format, such as onnx"
        )
    return f"coremltools cannot convert the {program.name} graph: {first_line(error)}"


def _kind(node: torch.fx.Node) -> str:
    """The operator as coremltools calls it."""
    target: Any = node.target
    return str(sanitize_op_kind(target.name() if hasattr(target, "name") else target.__name__))


class _Listener(logging.Handler):
    """Keeps what coremltools logs, instead of printing it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def _listening() -> Iterator[list[str]]:
    """coremltools shows bars of progress and warns of versions of torch that it was not tested with."""
    logger, listener = logging.getLogger("coremltools"), _Listener()
    earlier, passes_on = logger.handlers[:], logger.propagate
    logger.handlers, logger.propagate = [listener], False
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield listener.said
    finally:
        logger.handlers, logger.propagate = earlier, passes_on
