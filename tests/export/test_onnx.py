"""Export to ONNX: names and sides as the manifest says them, equal weights stored once, errors that name the layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from runtime.bundles import SIZE, boxes, noise
from torch import Tensor, nn

from limpet.core.errors import ModelError
from limpet.export.calibration_clip import SampleClip, record_feeds
from limpet.export.int8 import KEPT, onnx_int8
from limpet.export.onnx import WEIGHTS, save, to_onnx
from limpet.export.program import Program, Programs
from limpet.runtime.manifest import TensorSpec


class Odd(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        values: Tensor = torch.linalg.svdvals(x)
        return values


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Net(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.tracker = nn.ModuleDict({"odd": layer})

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.tracker["odd"](x),)


def make_program(layer: nn.Module) -> Program:
    specs = (TensorSpec("x", (3, 4), "float32"),)
    return Program("step", Net(layer), (torch.zeros(3, 4),), specs, (TensorSpec("y", (3,), "float32"),))


def test_names_and_sides_are_those_of_the_manifest(
    models: dict[str, onnx.ModelProto], programs: Programs
) -> None:
    for program in (programs.start, programs.step):
        graph = models[program.name].graph
        for specs, values in ((program.inputs, graph.input), (program.outputs, graph.output)):
            for spec, value in zip(specs, values, strict=True):
                assert value.name.removeprefix("new.") == spec.name
                assert tuple(d.dim_value for d in value.type.tensor_type.shape.dim) == spec.shape


def test_equal_weights_are_stored_once(models: dict[str, onnx.ModelProto], tmp_path: Path) -> None:
    copies = {name: onnx.ModelProto.FromString(model.SerializeToString()) for name, model in models.items()}
    each = [sum(len(t.raw_data) for t in model.graph.initializer) for model in copies.values()]
    save(copies, tmp_path)
    stored = (tmp_path / WEIGHTS).stat().st_size
    assert max(each) < stored + 200_000 and stored < 1.1 * max(each) < 0.8 * sum(each)
    onnx.checker.check_model(str(tmp_path / "step.onnx"))
    again = onnx.load(tmp_path / "step.onnx")
    for before, after in zip(models["step"].graph.initializer, again.graph.initializer, strict=True):
        assert np.array_equal(onnx.numpy_helper.to_array(before), onnx.numpy_helper.to_array(after))


def test_no_path_of_this_machine_is_in_the_file(models: dict[str, onnx.ModelProto]) -> None:
    assert str(Path(__file__).parents[2]).encode() not in models["step"].SerializeToString()


def test_an_operation_that_onnx_lacks_is_named_with_its_layer() -> None:
    with pytest.raises(ModelError, match=r"ONNX has no operation for aten\._linalg_svd\.default in odd"):
        to_onnx(make_program(Odd()))


def test_a_graph_that_cannot_be_captured_names_the_layer() -> None:
    with pytest.raises(ModelError, match=r"torch cannot capture the step graph .* \(in odd\)"):
        to_onnx(make_program(Branching()))


def test_int8_takes_convolutions_and_linear_layers(
    models: dict[str, onnx.ModelProto], programs: Programs
) -> None:
    clip = SampleClip(tuple(noise(4)), boxes(1, 2), "noise")
    feeds = record_feeds(programs, clip, samples=2)
    assert {name: len(calls) for name, calls in feeds.items()} == {"start": 3, "step": 2}
    assert [feed["mask"].shape for feed in feeds["start"]] == [(1, *SIZE)] * 3
    graph = onnx_int8(models["step"], feeds["step"]).graph
    made = {output: node.op_type for node in graph.node for output in node.output}
    constant = {t.name for t in graph.initializer}
    for node in graph.node:
        sources = [made.get(name, "") for name in node.input[:2]]
        if node.op_type == "Conv" and not any(part in name for part in KEPT for name in node.input):
            assert sources == ["DequantizeLinear"] * 2
        if node.op_type == "MatMul" and sources[1] != "DequantizeLinear":
            assert node.input[1] not in constant  # the attention's own products
