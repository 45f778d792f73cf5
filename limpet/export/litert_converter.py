"""Runs in the environment of litert-torch, as a script and without limpet: two captured graphs -> one .tflite file.

    python litert_converter.py job.json

The job says: ``graphs``, a list of {name, program (a .pt2 file), inputs, outputs (names)}; ``out``, the file to write;
``weights``, "fp32", "fp16" or "int8"; ``small``, the count of numbers below which a weight is fp16 in int8. What fails
is written to ``failure``, a file of JSON: {message, missing: {graph: [[operator, paths of the modules around it], …]}}.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import litert_torch
import torch
from ai_edge_litert.schema_py_generated import TensorType
from ai_edge_quantizer import qtyping, quantizer, recipe_manager
from ai_edge_quantizer.utils import tfl_flatbuffer_utils
from litert_torch import fx_infra
from litert_torch.backend import lowerings
from torch import Tensor, nn
from torch.export import ExportedProgram

EVERYTHING = qtyping.TFLOperationName.ALL_SUPPORTED
FLOAT32 = TensorType.FLOAT32
HALF = qtyping.OpQuantizationConfig(  # weights as fp16, made float32 again when the file is loaded
    weight_tensor_config=qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT),
    compute_precision=qtyping.ComputePrecision.FLOAT,
    explicit_dequantize=True,
)


class Named(nn.Module):
    """A captured graph that takes and gives tensors by name."""

    def __init__(self, captured: nn.Module, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.captured, self.inputs, self.outputs = captured, inputs, outputs

    def forward(self, **tensors: Tensor) -> dict[str, Tensor]:
        return dict(zip(self.outputs, self.captured(*(tensors[name] for name in self.inputs)), strict=True))


def main(path: str) -> None:
    """Do the job that the file at ``path`` describes."""
    job = json.loads(Path(path).read_text())
    programs = {graph["name"]: torch.export.load(graph["program"]) for graph in job["graphs"]}
    try:
        convert(job["graphs"], programs, job["out"])
        shrink(job["out"], job["weights"], job["small"])
    except Exception as error:
        missing = {name: missing_operators(program) for name, program in programs.items()}
        facts = {"message": f"{type(error).__name__}: {error}", "missing": missing}
        Path(job["failure"]).write_text(json.dumps(facts))
        raise


def convert(graphs: list[dict[str, Any]], programs: dict[str, ExportedProgram], out: str) -> None:
    """Write both graphs as signatures of one file. Weights that both have are stored once."""
    converter: Any = litert_torch
    known: dict[Any, Tensor] = {}
    for graph in graphs:
        program = programs[graph["name"]]
        module = Named(program.module(), graph["inputs"], graph["outputs"])
        lay_out_plainly(module)
        share_equal_tensors(module, known)
        examples = dict(zip(graph["inputs"], program.example_inputs[0], strict=True))
        converter = converter.signature(graph["name"], module, sample_kwargs=examples)
    converter.convert().export(out)


def lay_out_plainly(module: nn.Module) -> None:
    """Store the weights of ``module`` contiguously.

    Where a convolution's weights lie channel by channel (``channels_last``) and its input does not, the converter
    writes a graph that computes something else, and says nothing.
    """
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = tensor.data.contiguous()


def share_equal_tensors(module: nn.Module, known: dict[Any, Tensor]) -> None:
    """Let every parameter and buffer of ``module`` that equals a known one be that one."""
    for part in module.modules():
        tables: tuple[dict[str, Any], ...] = (part._parameters, part._buffers)
        for table in tables:
            for name, tensor in table.items():
                if tensor is not None:
                    content = tensor.detach().contiguous().numpy().tobytes()
                    table[name] = known.setdefault((tuple(tensor.shape), tensor.dtype, content), tensor)


def shrink(path: str, weights: str, small: int) -> None:
    """Store weights as fp16, or as int8 with a scale for each channel but for small ones; sums stay float32.

    Rounding inputs to int8 too (dynamic_wi8_afp32) is 7 % faster on a server, but masks drift away.
    """
    if weights == "fp32":
        return
    plan = recipe_manager.RecipeManager()
    if weights == "int8":
        plan.add_weight_only_config(".*", EVERYTHING, num_bits=8)
    for scope in small_operations(path, small) if weights == "int8" else [".*"]:
        plan.add_quantization_config(scope, EVERYTHING, HALF, "float_casting")
    work = quantizer.Quantizer(path)
    work.load_quantization_recipe(plan.get_quantization_recipe())
    work.quantize().export_model(path, overwrite=True)


def small_operations(path: str, small: int) -> list[str]:
    """Expressions that match the operations with weights of fewer numbers than ``small``."""
    model = tfl_flatbuffer_utils.read_model(path)
    found = [
        tfl_flatbuffer_utils.get_op_scope(operation, graph.tensors)
        for graph in model.subgraphs
        for operation in graph.operators
        if any(0 < weight_size(model, graph.tensors[place]) < small for place in operation.inputs[1:2])
    ]
    return [f"^{re.escape(scope)}$" for scope in found]


def weight_size(model: Any, tensor: Any) -> int:
    """How many numbers a constant float tensor has; 0 for others."""
    data = model.buffers[tensor.buffer].data
    return 0 if data is None or tensor.type != FLOAT32 else len(data) // 4


def missing_operators(program: ExportedProgram) -> list[tuple[str, list[str]]]:
    """All operators of a graph that litert-torch has no lowering for, each with the paths of the modules around it."""
    parts = fx_infra.safe_run_decompositions(program, fx_infra.decomp.pre_convert_decomp(), can_skip=False)
    parts = fx_infra.safe_run_decompositions(parts, fx_infra.decomp.pre_lower_decomp(), can_skip=False)
    return [
        (str(node.target), [path for path, _ in (node.meta.get("nn_module_stack") or {}).values()])
        for node in parts.graph.nodes
        if node.op == "call_function"
        and hasattr(node.target, "_schema")
        and lowerings.lookup(node.target) is None
    ]


if __name__ == "__main__":
    main(sys.argv[1])
