"""An exported tracker does what the tracker does that it came from, and refuses what its graphs cannot do."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import scenes
from PIL import Image

from limpet.core.errors import MaskError, MissingExtraError, ModelError, VideoError, WeightsError
from limpet.core.sizes import IMAGENET_MEAN, IMAGENET_STD
from limpet.project import Project
from limpet.runtime.engine import EngineOptions
from limpet.runtime.exported_state import ExportedState
from limpet.runtime.exported_tracker import ExportedTracker, load_exported, normalised_image
from limpet.runtime.manifest import EARLIER_FORMAT, RENAMED_FIELDS, RENAMED_TENSORS, Manifest, file_sha256
from limpet.tracking.processing import prepare_image
from limpet.tracking.tracker import Tracker

from .bundles import GAP, REFERENCES, SIZE, boxes, noise

BACKENDS = ("onnx", "openvino", "torch")


@pytest.fixture(scope="module", params=BACKENDS)
def exported(request: pytest.FixtureRequest, bundles: Path) -> ExportedTracker:
    return load_exported(bundles / request.param, threads=1)


@pytest.fixture(scope="module")
def onnx(bundles: Path) -> ExportedTracker:
    return load_exported(bundles / "onnx", threads=1)


def agree(one: np.ndarray, other: np.ndarray) -> bool:
    """All pixels but a few, where two scores are nearly equal."""
    return bool((one == other).mean() > 0.999)


def kept_by(tracker: ExportedTracker, state: ExportedState) -> list[int]:
    """Indices of the frames in memory, the newest first, of a video without later masks."""
    taken, age = (
        tracker.engine.as_array(state.values[name])[0, REFERENCES:] for name in ("memory_mask", "age")
    )
    newest = state.frame_index // GAP * GAP
    return [*sorted((newest - GAP * age[taken > 0]).tolist(), reverse=True), 0]


def test_it_equals_the_tracker(exported: ExportedTracker, original: Tracker) -> None:
    frames, mask = scenes(17, *SIZE), boxes(200, 7)
    found, expected = exported.start(frames[0], mask), original.start(frames[0], mask)
    assert np.array_equal(found.mask, mask) and found.confidence == {7: 1.0, 200: 1.0}
    history = []
    for index, frame in enumerate(frames[1:], start=1):
        masks, found = exported.step(frame, found)
        wanted, expected = original.step(frame, expected)
        assert agree(masks, wanted), index
        assert found.confidence == pytest.approx(expected.confidence, abs=1e-3)
        history.append(kept_by(exported, found))
        assert history[-1] == [frame.index for frame in expected.groups[0].frames]
    assert len(np.unique(wanted)) > 1, "there is something to compare"
    assert (found.object_ids, found.frame_index, found.frame_size) == ((7, 200), 16, SIZE)
    assert history[-1] != [16, 14, 0], "it is no ring"


@pytest.mark.parametrize("later", [8, 9])
def test_later_masks_equal_the_trackers(exported: ExportedTracker, original: Tracker, later: int) -> None:
    """The eighth frame is a candidate for the memory, and as a reference it leaves its place among them."""
    frames, mask = scenes(17, *SIZE), boxes(200, 7)
    new = np.zeros(SIZE, np.uint8)
    new[30:50, 50:70], new[:9, :9] = 9, 7
    found, expected = exported.start(frames[0], mask), original.start(frames[0], mask)
    for index, frame in enumerate(frames[1:], start=1):
        masks, found = exported.step(frame, found)
        wanted, expected = original.step(frame, expected)
        assert agree(masks, wanted), index
        assert int(exported.engine.as_array(found.values["memory_mask"]).sum()) == len(
            expected.groups[0].frames
        )
        if index == later:
            found, expected = exported.add(frame, new, found), original.add(frame, new, expected)
            assert agree(found.mask, expected.mask_array()) and found.confidence[9] == 1.0
    assert found.object_ids == expected.object_ids == (7, 200, 9)
    assert found.references == (0, later)


def test_a_project_is_propagated_by_an_exported_tracker(onnx: ExportedTracker, tmp_path: Path) -> None:
    frames, first = noise(6), boxes(200, 7)
    (tmp_path / "clip").mkdir()
    for index, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / "clip" / f"{index}.png")
    project = Project.create(tmp_path / "job", tmp_path / "clip")
    project.add(0, first)
    project.correct(3, boxes(200), objects=[200, 7])
    project.propagate_forwards(onnx, 0)
    project.propagate_forwards(onnx, 3)
    state = onnx.start(frames[0], first)
    for index in (1, 2):
        expected, state = onnx.step(frames[index], state)
        assert np.array_equal(project.mask(index), expected)
    assert np.array_equal(project.mask(3), boxes(200)) and project.status(5) == "propagated"
    erased = state.with_mask(boxes(200))
    assert np.array_equal(erased.mask_array(), boxes(200)) and np.array_equal(state.mask_array(), expected)


def test_a_state_never_changes(exported: ExportedTracker) -> None:
    frames = noise(4)
    first = exported.start(frames[0], boxes(1, 2))
    mask, second = exported.step(frames[1], first)
    before = {name: exported.engine.as_array(value).copy() for name, value in second.values.items()}
    after = exported.step(frames[2], second)[1]
    exported.step(frames[3], after)
    exported.add(frames[1], boxes(1, 2, 3), second)
    mask[:] = 99
    for name, value in second.values.items():
        assert np.array_equal(exported.engine.as_array(value), before[name]), name
    assert np.array_equal(exported.step(frames[1], first)[1].mask, second.mask), "undo"
    assert second.nbytes == sum(array.nbytes for array in before.values()) + second.mask.nbytes


def test_a_third_reference_takes_the_last_place(onnx: ExportedTracker) -> None:
    frames = noise(4)
    state = onnx.start(frames[0], boxes(1))
    for frame, ids in zip(frames[1:], ((1, 2), (1, 2), (1, 2, 3)), strict=True):
        _, state = onnx.step(frame, state)
        state = onnx.add(frame, boxes(*ids), state)
    assert state.references == (0, 3) and state.object_ids == (1, 2, 3)
    again = onnx.add(frames[3], boxes(3), state)
    assert again.references == (0, 3), "a correction in the same frame takes its place"


def test_frames_of_another_size(onnx: ExportedTracker) -> None:
    (large,) = noise(1, (90, 120))
    with pytest.raises(
        VideoError,
        match=r"90x120 but .*onnx was exported for 60x84; .*limpet export deaot-t --to onnx --size 90x120",
    ):
        onnx.start(large, boxes(1, size=(90, 120)))
    state = onnx.start(noise(1)[0], boxes(1))
    with pytest.raises(VideoError, match="the frame is 90x120 but the first was 60x84"):
        onnx.step(large, state)


def test_frames_too_small_for_a_bundle_of_any_size(onnx: ExportedTracker) -> None:
    manifest = replace(onnx.manifest, frame_size=None, network_size=None)
    exported = ExportedTracker(manifest, onnx.engine)
    assert exported.facts((70, 90)).network_size == (65, 97)
    with pytest.raises(VideoError, match="get at 17x33; a bundle for any size needs 32 each way"):
        exported.check_video((10, 40), (1,))


def test_masks_that_do_not_fit(onnx: ExportedTracker) -> None:
    (frame,) = noise(1)
    with pytest.raises(MaskError, match="mask is 90x120 but the frame is 60x84"):
        onnx.start(frame, boxes(1, size=(90, 120)))
    with pytest.raises(MaskError, match=r"there are 4 objects but .* exported for 3 at most; .*--objects 4"):
        onnx.start(frame, boxes(1, 2, 3, 4))
    state = onnx.start(frame, boxes(1, 2, 3))
    with pytest.raises(MaskError, match="there are 4 objects"):
        onnx.add(frame, boxes(9), state)
    with pytest.raises(VideoError, match="expected a numpy array uint8"):
        onnx.step(frame[..., 0], state)


def test_a_state_of_another_bundle(onnx: ExportedTracker) -> None:
    frames = noise(2)
    state = onnx.start(frames[0], boxes(1))
    other = replace(state, manifest=replace(state.manifest, weights_sha256="1" * 64))
    with pytest.raises(ModelError, match="state is of another bundle"):
        onnx.step(frames[1], other)


def test_a_changed_file(bundles: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bundles / "onnx", tmp_path / "bundle")
    with (folder / "step.onnx").open("ab") as file:
        file.write(b"!")
    with pytest.raises(WeightsError, match=r"step.onnx is not the file that was exported"):
        load_exported(folder)
    (folder / "step.onnx").unlink()
    with pytest.raises(WeightsError, match=r"lacks step.onnx"):
        load_exported(folder)


def test_another_version_and_no_bundle(bundles: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bundles / "onnx", tmp_path / "bundle")
    facts = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(facts | {"format": "limpet-bundle-99", "limpet": "9.9"}))
    with pytest.raises(WeightsError, match=r"limpet-bundle-99', made by limpet 9.9"):
        load_exported(folder)
    with pytest.raises(WeightsError, match="is not an exported tracker"):
        load_exported(tmp_path)


def as_earlier_format(folder: Path) -> None:
    """Write a bundle's manifest as the format before this one has it."""
    facts = json.loads((folder / "manifest.json").read_text())
    fields, tensors = (
        {now: then for then, now in table.items()} for table in (RENAMED_FIELDS, RENAMED_TENSORS)
    )
    del facts["memory"]
    facts = {fields.get(name, name): value for name, value in facts.items()} | {"format": EARLIER_FORMAT}
    for graph in (facts["begin"], facts["step"]):
        for spec in (*graph["inputs"], *graph["outputs"]):
            spec["name"] = tensors.get(spec["name"], spec["name"])
            del spec["inner"]
    (folder / "manifest.json").write_text(json.dumps(facts))


def test_a_bundle_of_the_earlier_format(exported: ExportedTracker, bundles: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bundles / exported.manifest.backend, tmp_path / "bundle")
    as_earlier_format(folder)
    assert {"begin", "deviation"} <= json.loads((folder / "manifest.json").read_text()).keys()
    frames, found = noise(5), []
    for tracker in (load_exported(folder, threads=1), exported):
        state = tracker.start(frames[0], boxes(1, 2))
        for frame in frames[1:]:
            _, state = tracker.step(frame, state)
        found.append(tracker.add(frames[-1], boxes(1, 2, 3), state))
    assert np.array_equal(found[0].mask, found[1].mask) and found[0].confidence == found[1].confidence
    for name, value in found[1].values.items():
        assert np.array_equal(found[0].values[name], value), name


def test_tensors_of_the_earlier_format_keep_their_names_in_the_file(bundles: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bundles / "onnx", tmp_path / "bundle")
    as_earlier_format(folder)
    outputs = {spec.name: spec.name_in_file for spec in Manifest.read(folder).step.outputs}
    assert outputs["soft_iou"] == "sure" and outputs["logits"] == "scores" and outputs["mask"] == "mask"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_file_that_the_runtime_cannot_read(bundles: Path, tmp_path: Path, backend: str) -> None:
    folder = shutil.copytree(bundles / backend, tmp_path / "bundle")
    manifest = Manifest.read(folder)
    (folder / manifest.step.file).write_bytes(b"no graph")
    files = {name: file_sha256(folder / name) for name in manifest.files}
    replace(manifest, files=files).write(folder)
    with pytest.raises(WeightsError, match=r"cannot read .*bundle.step\.\w+"):
        load_exported(folder)


@pytest.mark.parametrize(("backend", "package"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_a_missing_runtime(
    bundles: Path, monkeypatch: pytest.MonkeyPatch, backend: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}', .*pip install 'limpet\[{backend}\]'"):
        load_exported(bundles / backend)


def test_a_backend_that_is_not_run_here(bundles: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bundles / "onnx", tmp_path / "bundle")
    replace(Manifest.read(folder), backend="coreml").write(folder)
    with pytest.raises(ModelError, match="a bundle for coreml, which limpet writes but cannot run"):
        load_exported(folder)
    with pytest.raises(ModelError, match=r"for onnx, not for openvino; .*--to openvino --size 60x84"):
        load_exported(bundles / "onnx", runtime="openvino")


def test_precisions(bundles: Path) -> None:
    with pytest.raises(ModelError, match="exported in fp32, and onnx computes as it was exported"):
        load_exported(bundles / "onnx", precision="bf16")
    with pytest.raises(ModelError, match="no precision 'half'; the choices are: auto, fp32, bf16"):
        EngineOptions(precision="half")
    with pytest.raises(ModelError, match="threads is 0"):
        EngineOptions(threads=0)
    assert load_exported(bundles / "openvino").engine.precision == "fp32", "as it was exported"


def test_facts_for_the_report(exported: ExportedTracker) -> None:
    facts = json.loads(json.dumps(exported.facts(SIZE).as_dict()))
    assert (facts["model"], facts["precision"], facts["memory_max_frames"]) == ("deaot-t", "fp32", 4)
    assert facts["network_size"] == [65, 81] and facts["calibration"] == [0.9, -0.1]
    assert facts["device"].split()[0] in ("onnxruntime", "openvino", "torch")


@pytest.mark.parametrize("size", [(60, 84), (65, 97), (33, 129)])
def test_it_equals_what_torch_prepares(size: tuple[int, int]) -> None:
    (frame,) = noise(1)
    for given in (frame, frame[:, ::-1]):
        found = normalised_image(given, size, IMAGENET_MEAN, IMAGENET_STD)
        assert found.dtype == np.float32 and found.flags.c_contiguous
        assert np.array_equal(found, prepare_image(given, size, torch.device("cpu")).numpy())
