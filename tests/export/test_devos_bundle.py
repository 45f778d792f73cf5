"""DeVOS with flow from its own features as a bundle: two grids in the state, and masks that equal torch's."""

from __future__ import annotations

from pathlib import Path

import pytest
from networks import lively_devos
from runtime.bundles import SIZE, boxes, for_openvino, make_bundle, noise

from limpet.export.litert import PYTHON
from limpet.export.parity import BARS, compare
from limpet.export.program import Programs, make_programs
from limpet.models.fixed_size import FixedConfig
from limpet.runtime.exported_tracker import load_exported
from limpet.runtime.manifest import Manifest
from limpet.tracking.memory_policies import Ring
from limpet.tracking.tracker import Tracker


@pytest.fixture(scope="module")
def tracker() -> Tracker:
    return Tracker(
        lively_devos(),
        precision="fp32",
        memory=Ring(gap=2, max_frames=2),
        name="devos-t",
        weights_sha256="0" * 64,
    )


@pytest.fixture(scope="module")
def programs(tracker: Tracker) -> Programs:
    network = tracker.sizes.network_size(*SIZE)
    return make_programs(tracker.model, FixedConfig(SIZE, network, objects=2, ring=2, gap=2))


@pytest.fixture(scope="module")
def onnx(tracker: Tracker, programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "onnx", "onnx", tracker, programs)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_masks_equal_the_trackers(runtime: str, tracker: Tracker, onnx: Path, tmp_path: Path) -> None:
    folder = onnx if runtime == "onnx" else for_openvino(onnx, tmp_path / "openvino")
    assert Manifest.read(folder).flow == "match"
    exported = load_exported(folder, threads=1, precision="fp32" if runtime == "openvino" else "auto")
    assert exported.facts(SIZE).flow == "match"
    found = compare(tracker, exported, noise(6), boxes(200, 7))
    assert found.mean >= BARS["fp32"], found.sentence()


@pytest.mark.timeout(600)
def test_masks_in_litert_equal_the_trackers(
    tracker: Tracker,
    programs: Programs,
    litert_converter: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PYTHON, str(litert_converter))
    exported = load_exported(make_bundle(tmp_path / "litert", "litert", tracker, programs), threads=1)
    found = compare(tracker, exported, noise(6), boxes(200, 7))
    assert found.mean >= BARS["fp32"], found.sentence()


def test_the_grids_have_memories_of_their_own(programs: Programs) -> None:
    shapes = {spec.name: spec.shape for spec in programs.step.inputs}
    height, width = shapes["image"][2:]
    h, w = -(-height // 16), -(-width // 16)
    fine, coarse = h * w, -(-h // 2) * -(-w // 2)
    assert (shapes["short.0.key"][1], shapes["short.1.key"][1]) == (fine, coarse)
    assert (shapes["long.0.key"][1], shapes["long.1.key"][1]) == (3 * fine, 3 * coarse)
