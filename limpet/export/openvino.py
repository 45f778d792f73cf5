"""OpenVINO: ``start.xml`` and ``step.xml`` with their weights beside them (``.bin``).

The graphs are converted from ONNX, so that both runtimes get the same ones. Precision here is two things: how weights
are stored, and how a processor may compute. fp32: weights and sums in fp32. fp16: weights in fp16, half the size, and
sums in fp32. bf16: weights in fp16, and sums in bf16, which processors that have it compute twice as fast. int8: see
limpet/export/int8.py; what stays in float is stored as fp16.
"""

from __future__ import annotations

from pathlib import Path

from limpet.core.errors import ModelError
from limpet.core.without_telemetry import without_telemetry
from limpet.export.calibration_clip import record_feeds
from limpet.export.dynamic_shapes import check_open
from limpet.export.int8 import openvino_int8
from limpet.export.onnx import to_onnx
from limpet.export.program import Program, Programs
from limpet.export.writer import ExportOptions, Written
from limpet.runtime.manifest import GraphSpec
from limpet.runtime.openvino_engine import shared_core

with without_telemetry():
    import openvino as ov


def write(programs: Programs, folder: Path, options: ExportOptions) -> Written:
    """Write both graphs into ``folder``. Raises ModelError for an operation that ONNX or OpenVINO does not have."""
    feeds = record_feeds(programs, options.calibration) if options.calibration else None
    for program in (programs.start, programs.step):
        model = to_openvino(program)
        if feeds is not None:
            model = openvino_int8(model, feeds[program.name])
        save(model, program.name, folder, half=options.precision != "fp32")
    return Written(graph_spec(programs.start), graph_spec(programs.step))


def graph_spec(program: Program) -> GraphSpec:
    """How ``save`` lays a program down."""
    return GraphSpec(f"{program.name}.xml", program.inputs, program.outputs)


def to_openvino(program: Program) -> ov.Model:
    """One graph. Raises ModelError for an operation that ONNX or OpenVINO does not have."""
    model = to_onnx(program)
    try:
        read = shared_core().read_model(model.SerializeToString())
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot read the {program.name} graph: {error}") from error
    for specs, ports in ((program.inputs, read.inputs), (program.outputs, read.outputs)):
        named = zip(specs, ports, strict=True)
        check_open(f"the {program.name} graph", specs, {spec.name: _shape(port) for spec, port in named})
    return read


def _shape(port: ov.Output) -> list[int | None]:
    """Sides of an input or output; None for one that is open."""
    return [None if side.is_dynamic else side.get_length() for side in port.partial_shape]


def save(model: ov.Model, name: str, folder: Path, half: bool) -> None:
    """Write ``<name>.xml`` and ``<name>.bin``; ``half`` stores weights as fp16."""
    ov.save_model(model, str(folder / f"{name}.xml"), compress_to_fp16=half)
