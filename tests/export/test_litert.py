"""Export to LiteRT: the same masks as the tracker, one file, and errors that say what to do."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import frames, mask_of
from runtime.bundles import SIZE, make_tracker, tiny_programs
from torch import Tensor

from limpet.core.errors import ModelError
from limpet.export import litert
from limpet.export.bundle import ExportPlan, describe
from limpet.export.calibration_clip import SampleClip
from limpet.export.litert import CONVERTER, FILE, PYTHON, explain, find_converter, run_converter, write
from limpet.export.program import Programs
from limpet.export.writer import ExportOptions
from limpet.runtime.exported_tracker import ExportedTracker, load_exported
from limpet.tracking.tracker import Tracker

from .unknown import unknown_program

pytestmark = pytest.mark.timeout(600)  # the converter takes ten seconds to start, more on a busy machine


@pytest.fixture(scope="module")
def tracker() -> Tracker:
    return make_tracker(encoder="mobilenet-v2")


@pytest.fixture(scope="module")
def bundles(
    tracker: Tracker, litert_converter: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """One bundle for each precision."""
    programs = tiny_programs(tracker)
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PYTHON, str(litert_converter))
        for precision in ("fp32", "int8"):
            folder = tmp_path_factory.mktemp(precision)
            options = ExportOptions(precision)
            written = write(programs, folder, options)
            plan = ExportPlan("deaot-t", "litert", SIZE, options=options)
            describe(plan, tracker, programs, written, folder).write(folder)
            made[precision] = folder
    return made


def masks(tracker: Tracker | ExportedTracker) -> list[np.ndarray]:
    first, *others = frames(7, *SIZE)
    state, found = tracker.start(first, mask_of(4, 9, height=SIZE[0], width=SIZE[1])), []
    for frame in others:
        mask, state = tracker.step(frame, state)
        found.append(mask)
    return found


@pytest.mark.parametrize(("precision", "agreement"), [("fp32", 1.0), ("int8", 0.9)])
def test_masks_are_those_of_the_tracker(
    precision: str, agreement: float, bundles: dict[str, Path], tracker: Tracker
) -> None:
    expected, found = masks(tracker), masks(load_exported(bundles[precision]))
    assert {4, 9} <= set(np.unique(expected))
    assert np.mean([np.mean(a == b) for a, b in zip(expected, found, strict=True)]) >= agreement


def test_both_graphs_share_their_weights(bundles: dict[str, Path], tracker: Tracker) -> None:
    weights = sum(p.numel() for p in tracker.model.parameters())
    sizes = {precision: (folder / FILE).stat().st_size for precision, folder in bundles.items()}
    assert sizes["fp32"] < 4 * weights * 1.1
    assert sizes["int8"] < 0.55 * sizes["fp32"]  # most of this narrow model's weights are small, and fp16


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_int8_corrects_biases_on_the_clip(
    precision: str, programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Programs, str]] = []

    def record(found: Programs, temporary: Path, out: Path, weights: str) -> dict[str, Any]:
        given.append((found, weights))
        return {}

    monkeypatch.setattr(litert, "find_converter", lambda: Path("python"))
    monkeypatch.setattr(litert, "make_job", record)
    monkeypatch.setattr(litert, "run_converter", lambda python, job, temporary: None)
    clip = SampleClip(tuple(frames(2, *SIZE)), mask_of(4, 9, height=SIZE[0], width=SIZE[1]), "noise")
    write(programs, tmp_path, ExportOptions(precision, clip))
    assert [weights for _, weights in given] == [precision]
    pairs = zip(biases(programs), biases(given[0][0]), strict=True)
    corrected = [before.numel() for before, after in pairs if not torch.equal(before, after)]
    # those of the encoder's layers with large weights: the ends of blocks 14 to 17, and what follows them
    assert corrected == ([160, 960, 160, 960, 160, 960, 320, 1280] if precision == "int8" else [])


def biases(programs: Programs) -> list[Tensor]:
    model = programs.step.module.tracker.model
    return [bias for name, bias in model.named_parameters() if name.endswith("bias")]


def test_an_operation_that_litert_lacks_is_named_with_its_layer(
    programs: Programs, litert_converter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PYTHON, str(litert_converter))
    with pytest.raises(ModelError, match=r"LiteRT has no operation for aten\..*eig.* in head\.1 \(step\)"):
        write(replace(programs, step=unknown_program()), tmp_path, ExportOptions())


def test_an_environment_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(PYTHON, raising=False)
    with pytest.raises(
        ModelError, match=r"\.venv-litert/bin/python is not there; .* scripts/litert_environment\.sh"
    ):
        find_converter()
    monkeypatch.setenv(PYTHON, "/nowhere/python")
    with pytest.raises(ModelError, match=f"{PYTHON} says /nowhere/python"):
        find_converter()


def test_an_environment_without_the_converter(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'litert_torch'\" >&2\nexit 1\n")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    job = {"failure": str(tmp_path / "failure.json")}
    with pytest.raises(
        ModelError, match=r"No module named 'litert_torch'; make it again with scripts/litert"
    ):
        run_converter(python, job, tmp_path)


def test_failures_are_one_sentence(tmp_path: Path) -> None:
    failure = tmp_path / "failure.json"
    facts = {
        "message": "RuntimeError: no",
        "missing": {"start": [], "step": [["aten.x", ["", "tracker.model", "tracker.model.layers.0"]]]},
    }
    failure.write_text(json.dumps(facts))
    assert "aten.x in layers.0 (step); export to another format" in explain(failure, "", Path("python"))
    failure.write_text(json.dumps({**facts, "missing": {}}))
    assert explain(failure, "", Path("python")) == "litert-torch cannot convert the tracker: RuntimeError: no"


def test_the_converter_needs_no_limpet() -> None:
    assert "import limpet" not in CONVERTER.read_text() and "from limpet" not in CONVERTER.read_text()


def test_nothing_in_place_is_left_of_a_deformable_model(programs: Programs, tmp_path: Path) -> None:
    other = replace(unknown_program(), name="start")  # to save the time of the large one
    found = litert.make_job(replace(programs, start=other), tmp_path, tmp_path / FILE, "fp16")
    nodes = torch.export.load(found["graphs"][1]["program"]).graph.nodes
    targets = {str(node.target) for node in nodes if node.op == "call_function"}
    assert any("grid_sampler" in target for target in targets)
    assert not [target for target in targets if re.search(r"[a-z]_\.", target)]
