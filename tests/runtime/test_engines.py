"""Engines on graphs small enough to be written down: sizes stay open, and nothing that was given ever changes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from limpet.runtime.engine import Engine, EngineOptions, open_engine
from limpet.runtime.manifest import GraphSpec, Manifest, TensorSpec, file_sha256

FRAME = TensorSpec("frame", (1, -1, -1), "uint8")
MASK = TensorSpec("mask", (1, -1, -1), "uint8")
SUM = TensorSpec("sum", (1, -1, -1), "float32")
START = GraphSpec("start.onnx", (MASK,), (FRAME, SUM))
STEP = GraphSpec("step.onnx", (FRAME, SUM), (MASK, SUM))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``start`` makes ``sum`` of a mask; ``step`` doubles it, and gives ``frame`` as the mask."""
    folder = tmp_path_factory.mktemp("graphs")
    keep, cast = helper.make_node, TensorProto.FLOAT
    write(
        folder, START, [keep("Identity", ["mask"], ["frame"]), keep("Cast", ["mask"], ["sum"], to=cast)], {}
    )
    write(
        folder, STEP,
        [keep("Identity", ["frame"], ["mask"]), keep("Add", ["sum", "sum"], ["new.sum"])],
        {"sum": "new.sum"},
    )  # fmt: skip
    return folder


def write(folder: Path, spec: GraphSpec, nodes: list[onnx.NodeProto], inner: dict[str, str]) -> None:
    def info(each: TensorSpec, name: str) -> onnx.ValueInfoProto:
        kind = TensorProto.UINT8 if each.dtype == "uint8" else TensorProto.FLOAT
        return helper.make_tensor_value_info(name, kind, [1, "H", "W"])

    inputs = [info(each, each.name) for each in spec.inputs]
    outputs = [info(each, inner.get(each.name, each.name)) for each in spec.outputs]
    graph = helper.make_graph(nodes, "graph", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / spec.file)


def manifest_for(backend: str) -> Manifest:
    return Manifest(
        backend=backend, precision="fp32", model="none", weights_sha256="", frame_size=None, network_size=None,
        align_corners=True, max_short=None, max_long=None, mean=(0, 0, 0), std=(1, 1, 1), objects=1,
        references=1, ring=0, gap=1, start=START, step=STEP, limpet="",
    )  # fmt: skip


@pytest.fixture(params=["onnx", "openvino"])
def engine(request: pytest.FixtureRequest, folder: Path) -> Engine:
    return open_engine(manifest_for(request.param), folder, EngineOptions(threads=1))


def test_sizes_stay_open_and_values_stay(engine: Engine) -> None:
    for size in ((1, 2, 3), (1, 5, 4)):
        mask = np.full(size, 3, np.uint8)
        states = [engine.start({"mask": mask})]
        engine.start({"mask": np.zeros(size, np.uint8)})
        for _ in range(3):
            found = engine.step(states[-1])
            assert np.array_equal(engine.as_array(found.pop("mask")), mask)
            states.append({**states[-1], **found})
        engine.step(states[0])
        sums = [engine.as_array(state["sum"]) for state in states]
        assert [array.shape for array in sums] == [size] * 4
        assert [set(array.ravel().tolist()) for array in sums] == [{3.0}, {6.0}, {12.0}, {24.0}]


def test_arrays_are_taken_too(engine: Engine) -> None:
    frame, numbers = np.ones((1, 2, 2), np.uint8), np.arange(8, dtype=np.float32).reshape(1, 4, 2)
    found = engine.step({"frame": frame, "sum": numbers[:, ::2]})  # not in one piece
    assert np.array_equal(engine.as_array(found["sum"]), 2 * numbers[:, ::2])
    assert "onnxruntime" in engine.runtime or "openvino" in engine.runtime


TWO_ENGINES_THEN_A_SIGNAL = """
import gc, signal, sys
from pathlib import Path
from limpet.runtime.engine import EngineOptions, open_engine
from limpet.runtime.manifest import Manifest
folder = Path(sys.argv[1])
manifest = Manifest.read(folder)
first, second = (open_engine(manifest, folder, EngineOptions(threads=1)) for _ in range(2))
del first
gc.collect()
del second
gc.collect()
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
signal.raise_signal(signal.SIGTERM)
"""


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_a_signal_after_two_engines_is_handled(backend: str, folder: Path, tmp_path: Path) -> None:
    """In a process of its own: a thread that OpenVINO leaves without a stack for signals ends in a segfault."""
    bundle = shutil.copytree(folder, tmp_path / "bundle")
    files = {path.name: file_sha256(path) for path in bundle.iterdir() if path.is_file()}
    replace(manifest_for(backend), files=files).write(bundle)
    command = [sys.executable, "-c", TWO_ENGINES_THEN_A_SIGNAL, str(bundle)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout.strip()) == (0, "handled"), ended.stderr
