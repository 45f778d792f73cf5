"""ONNX: ``start.onnx`` and ``step.onnx``, which share their weights in ``weights.bin``."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from onnx import ModelProto, TensorProto, ValueInfoProto

from limpet.core.errors import ModelError
from limpet.export.calibration_clip import record_feeds
from limpet.export.dynamic_shapes import check_open
from limpet.export.int8 import onnx_int8
from limpet.export.program import Program, Programs, first_line, operator_and_layer
from limpet.export.writer import ExportOptions, Written
from limpet.runtime.manifest import GraphSpec

WEIGHTS = "weights.bin"
SMALL = 1024  # bytes; smaller tensors stay in the graph, where optimisers read shapes and constants


def write(programs: Programs, folder: Path, options: ExportOptions) -> Written:
    """Write both graphs into ``folder``. Raises ModelError for an operation that ONNX does not have."""
    models = {program.name: to_onnx(program) for program in (programs.start, programs.step)}
    if options.calibration is not None:
        feeds = record_feeds(programs, options.calibration)
        models = {name: onnx_int8(model, feeds[name]) for name, model in models.items()}
    save(models, folder)
    return Written(graph_spec(programs.start), graph_spec(programs.step))


def graph_spec(program: Program) -> GraphSpec:
    """How ``save`` lays a program down."""
    return GraphSpec(f"{program.name}.onnx", program.inputs, program.outputs)


def to_onnx(program: Program) -> ModelProto:
    """One graph, weights inside. Raises ModelError for an operation that ONNX does not have."""
    exported = program.exported
    try:
        with _quietly():
            made = torch.onnx.export(
                exported,
                dynamo=True,
                external_data=False,
                input_names=program.input_names,
                output_names=program.output_names,
                verbose=False,
            )
    except Exception as error:
        where = operator_and_layer(error, exported)
        what = f"ONNX has no operation for {where}" if where else "torch's exporter failed"
        raise ModelError(
            f"the {program.name} graph cannot be written as ONNX: {what} ({first_line(error)})"
        ) from error
    assert made is not None
    model: ModelProto = made.model_proto
    _forget_the_source(model)
    for specs, values in ((program.inputs, model.graph.input), (program.outputs, model.graph.output)):
        named = zip(specs, values, strict=True)
        check_open(f"the {program.name} graph", specs, {spec.name: _shape(value) for spec, value in named})
    return model


def save(models: dict[str, ModelProto], folder: Path) -> None:
    """Write each model as ``<name>.onnx``; large tensors go to one file, equal ones once."""
    known: dict[str, tuple[int, int]] = {}
    with (folder / WEIGHTS).open("wb") as weights:
        for model in models.values():
            for tensor in model.graph.initializer:
                if len(tensor.raw_data) < SMALL:
                    continue
                key = hashlib.sha256(tensor.raw_data).hexdigest()
                if key not in known:
                    weights.write(
                        b"\0" * (-weights.tell() % 64)
                    )  # aligned, so that a runtime may map the file
                    known[key] = (weights.tell(), len(tensor.raw_data))
                    weights.write(tensor.raw_data)
                _point_to(tensor, *known[key])
    for name, model in models.items():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())


def _shape(value: ValueInfoProto) -> list[int | None]:
    """Sides of an input or output; None for one that is open."""
    return [
        side.dim_value if side.HasField("dim_value") else None for side in value.type.tensor_type.shape.dim
    ]


def _point_to(tensor: TensorProto, offset: int, length: int) -> None:
    onnx.external_data_helper.set_external_data(tensor, WEIGHTS, offset=offset, length=length)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL


def _forget_the_source(model: ModelProto) -> None:
    """Drop the metadata about where in our source a node came from: paths of this machine, a third of the file."""
    for node in model.graph.node:
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]


@contextmanager
def _quietly() -> Iterator[None]:
    """The exporter warns about what it does not need (torchvision) and about its own use of torch."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
