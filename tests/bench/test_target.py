"""Exported trackers: their step is one stage, and their work is that of the whole graph."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limpet.bench import machine, roofline
from limpet.bench.benchmark import run_benchmark
from limpet.bench.config import BenchConfig, choose_engine, choose_model
from limpet.bench.flops import count_graph
from limpet.core.errors import MaskError, ModelError, VideoError
from limpet.runtime import exported_tracker as runtime
from limpet.runtime.manifest import GraphSpec, Manifest, file_sha256

SIZE, NETWORK = (64, 96), (65, 97)
GRAPH = GraphSpec("graphs.bin", (), ())
MANIFEST = Manifest(
    "onnx", "fp32", "deaot-t", "0" * 64, SIZE, NETWORK, True, 480, 1040, (0.5,) * 3, (0.2,) * 3,
    objects=3, references=1, ring=0, gap=5, start=GRAPH, step=GRAPH, limpet="0.1.0",
)  # fmt: skip


class FakeEngine:
    """Gives masks of background."""

    runtime, precision = "onnxruntime 1.0", "fp32"

    def start(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return {"present": np.ones((1, 4), np.float32)}

    def step(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "mask": np.zeros((1, *SIZE), np.uint8),
            "logits": None,
            "soft_iou": np.zeros((1, 4), np.float32),
        }

    def as_array(self, value: Any) -> np.ndarray:
        return np.asarray(value)


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a manifest, run by FakeEngine."""
    monkeypatch.setattr(machine.time, "sleep", lambda _: None)
    for name, value in (("SIDE", 16), ("CELLS", 4), ("COPY_BYTES", 1 << 12)):
        monkeypatch.setattr(roofline, name, value)
    monkeypatch.setattr(runtime, "open_engine", lambda *_: FakeEngine())
    folder = tmp_path / "deaot-t-onnx"
    folder.mkdir()
    (folder / "graphs.bin").write_bytes(bytes(2_000_000))
    replace(MANIFEST, files={"graphs.bin": file_sha256(folder / "graphs.bin")}).write(folder)
    return folder


def config(bundle: Path, **given: Any) -> BenchConfig:
    return BenchConfig(
        **{"engine": "onnx", "bundle": bundle, "size": SIZE, "threads": 1, "frames": 2, **given}
    )


def test_a_step_is_one_stage(bundle: Path) -> None:
    report = run_benchmark(config(bundle))
    stages = {row.name: row for row in report.stages}
    assert list(stages) == ["step", "rest", "all"]
    assert stages["step"].gflop > 0.5 and stages["step"].moved_mb is None
    assert report.run.engine == "onnxruntime 1.0" and report.run.bundle == "deaot-t-onnx"
    assert report.run.network_size == NETWORK and report.memory.weights_mb == 2.0


def test_from_end_to_end(bundle: Path) -> None:
    report = run_benchmark(config(bundle, end_to_end=True))
    assert [row.name for row in report.stages] == ["decode video", "step", "write masks", "rest", "all"]


def test_what_the_bundle_was_not_made_for(bundle: Path) -> None:
    with pytest.raises(VideoError, match=r"frames are 480x854 but .*deaot-t-onnx was exported for 64x96"):
        run_benchmark(config(bundle, size=(480, 854)))
    with pytest.raises(MaskError, match=r"4 objects but .*deaot-t-onnx was exported for 3"):
        run_benchmark(config(bundle, objects=4))


def test_the_bundle_says_model_and_engine(bundle: Path) -> None:
    assert (choose_model(None, None, bundle, "deaot-s"), choose_engine(None, bundle)) == ("deaot-t", "onnx")
    assert choose_model(None, None, None, "deaot-s") == "deaot-s"
    with pytest.raises(ModelError, match="is of deaot-t, not of deaot-l"):
        choose_model("deaot-l", None, bundle, "deaot-s")
    with pytest.raises(ModelError, match="exported for onnx, not for openvino"):
        choose_engine("openvino", bundle)


def test_every_slot_and_place_of_a_graph_is_counted() -> None:
    one = count_graph(MANIFEST, SIZE, NETWORK).stages["step"][0]
    more_slots = count_graph(replace(MANIFEST, objects=10), SIZE, NETWORK).stages["step"][0]
    more_places = count_graph(replace(MANIFEST, references=2), SIZE, NETWORK).stages["step"][0]
    cells = 5 * 7
    assert more_slots - one == 2 * cells * 7 * 256 * 17 * 17  # planes of the identity bank
    assert more_places - one == 2 * cells * cells * (128 + 1024)  # one more frame of the long-term memory


def test_torch_is_not_imported_before_the_measurement_is_over() -> None:
    """Else its memory would count as the engine's."""
    modules = "limpet.cli.bench, limpet.bench.benchmark, limpet.bench.target"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
