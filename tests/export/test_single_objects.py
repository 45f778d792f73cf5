"""Students of MobileVOS as bundles: the previous frame and the first one are the state, soft masks stay inside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import NARROW_STUDENT, lively_stcn
from runtime.bundles import SIZE, boxes, for_openvino, make_bundle, noise
from tiny_encoder import TINY

from limpet.export.litert import PYTHON
from limpet.export.parity import BARS, compare
from limpet.export.program import Programs, make_programs
from limpet.models.fixed_size import FixedConfig
from limpet.runtime.exported_tracker import load_exported
from limpet.tracking.memory_policies import Ring
from limpet.tracking.processing import prepare_image
from limpet.tracking.tracker import Tracker


@pytest.fixture(scope="module")
def tracker() -> Tracker:
    model = lively_stcn(replace(NARROW_STUDENT, encoder=TINY))
    return Tracker(model, precision="fp32", name="mobilevos-mobilenet-v2", weights_sha256="0" * 64)


@pytest.fixture(scope="module")
def programs(tracker: Tracker) -> Programs:
    network = tracker.sizes.network_size(*SIZE)
    return make_programs(tracker.model, FixedConfig(SIZE, network, objects=2))


def test_the_state_is_two_frames(programs: Programs) -> None:
    shapes = {spec.name: spec.shape for spec in programs.step.inputs}
    assert set(shapes) == {"image", "present", "long.0.key", "long.0.value", "short.0.key", "short.0.value"}
    assert {spec.name for spec in programs.step.outputs} >= {"short.0.key", "short.0.value"}
    assert shapes["long.0.key"] == shapes["short.0.key"], "one frame each"


@pytest.fixture(scope="module")
def onnx(tracker: Tracker, programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("bundles") / "onnx", "onnx", tracker, programs)


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_masks_and_confidences_equal_the_trackers(
    runtime: str, tracker: Tracker, onnx: Path, tmp_path: Path
) -> None:
    folder = onnx if runtime == "onnx" else for_openvino(onnx, tmp_path / "openvino")
    exported = load_exported(folder, threads=1, precision="fp32" if runtime == "openvino" else "auto")
    found = compare(tracker, exported, noise(6), boxes(200, 7))
    assert found.mean >= BARS["fp32"], found.sentence()
    first, second = noise(2)
    (_, ours), (_, theirs) = (t.step(second, t.start(first, boxes(200, 7))) for t in (tracker, exported))
    assert theirs.confidence == pytest.approx(ours.confidence, abs=1e-3)


@pytest.mark.timeout(600)
def test_litert_takes_a_graph_of_one_object(
    tracker: Tracker, litert_converter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PYTHON, str(litert_converter))
    network = tracker.sizes.network_size(*SIZE)
    programs = make_programs(tracker.model, FixedConfig(SIZE, network, objects=1))
    exported = load_exported(make_bundle(tmp_path / "litert", "litert", tracker, programs), threads=1)
    found = compare(tracker, exported, noise(6), boxes(7))
    assert found.mean >= BARS["fp32"], found.sentence()


def test_an_object_comes_later(onnx: Path) -> None:
    exported = load_exported(onnx, threads=1)
    first, second, third = noise(3)
    _, state = exported.step(second, exported.start(first, boxes(7)))
    later = np.zeros(SIZE, np.uint8)
    later[30:50, 50:70] = 9
    state = exported.add(second, later, state)
    _, state = exported.step(third, state)
    assert set(state.confidence) == {7, 9}


@torch.inference_mode()
def test_a_longer_queue_reads_each_frame_once() -> None:
    """The first frame and the newest three: graphs that do not keep the previous one a second time do as torch does."""
    tracker = Tracker(lively_stcn(NARROW_STUDENT), precision="fp32", memory=Ring(gap=1, max_frames=3))
    network = tracker.sizes.network_size(*SIZE)
    programs = make_programs(tracker.model, FixedConfig(SIZE, network, objects=2, ring=3, gap=1))
    shapes = {spec.name: spec.shape for spec in programs.step.inputs}
    assert not any(name.startswith("short.") for name in shapes), "the previous frame is in the ring"
    h, w = (-(-side // 16) for side in network)
    assert shapes["long.0.key"][1] == 4 * h * w
    assert tracker.config.reads_previous, "the tracker's model is as it was"

    first, *others = (prepare_image(frame, network, tracker.device) for frame in noise(7))
    slots = boxes(1, 2)
    state = programs.start.module.tracker(first, torch.from_numpy(slots)[None])  # type: ignore[operator, union-attr]
    expected = tracker.start(noise(7)[0], slots)
    for image, frame in zip(others, noise(7)[1:], strict=True):
        wanted, expected = tracker.step(frame, expected)
        found, _, _, after = programs.step.module.tracker(image, state)  # type: ignore[operator, union-attr]
        state = {**state, **after}
        assert (found[0].numpy() == wanted).mean() > 0.999
