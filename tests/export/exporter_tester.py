"""What every format must bear: a test class inherits from ``ExporterTester`` and names its format."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from runtime.bundles import SIZE, boxes, noise

from limpet.core.errors import ModelError, WeightsError
from limpet.export.parity import BARS, compare
from limpet.export.program import Programs
from limpet.runtime.backends import find_backend
from limpet.runtime.exported_tracker import ExportedTracker, load_exported
from limpet.runtime.manifest import NAME, GraphSpec, Manifest, file_sha256
from limpet.tracking.tracker import Tracker

FRAMES = 7


class ExporterTester:
    """``backend``: the format's name in the table of limpet/runtime/backends.py. It must be one that limpet can run.

    The fixtures are in conftest.py: ``tiny``, a tracker, and ``bundle`` and ``exported``, what the format made of it.
    """

    backend: ClassVar[str]

    def test_masks_equal_the_trackers(self, exported: ExportedTracker, tiny: Tracker) -> None:
        found = compare(tiny, exported, noise(FRAMES), boxes(200, 7))
        assert found.mean >= BARS["fp32"], found.sentence()

    def test_confidences_and_later_masks_equal_the_trackers(
        self, exported: ExportedTracker, tiny: Tracker
    ) -> None:
        frames, later = noise(5), np.zeros(SIZE, np.uint8)
        later[30:50, 50:70] = 9
        states = [tracker.start(frames[0], boxes(200, 7)) for tracker in (exported, tiny)]
        for index, frame in enumerate(frames[1:], start=1):
            states = [
                tracker.step(frame, state)[1] for tracker, state in zip((exported, tiny), states, strict=True)
            ]
            if index == 2:
                states = [t.add(frame, later, s) for t, s in zip((exported, tiny), states, strict=True)]
            assert states[0].confidence == pytest.approx(states[1].confidence, abs=1e-3)
        assert states[0].object_ids == states[1].object_ids == (7, 200, 9)
        assert np.mean(states[0].mask == states[1].mask_array()) > 0.999

    def test_a_bundle_that_names_no_policy_has_a_ring(
        self, bundle: Path, exported: ExportedTracker, tmp_path: Path
    ) -> None:
        """As those that were made before there was another one."""
        folder = shutil.copytree(bundle, tmp_path / "bundle")
        facts = json.loads((folder / NAME).read_text())
        assert facts.pop("memory") == "ring" and facts.pop("crc32")
        (folder / NAME).write_text(json.dumps(facts))
        again = load_exported(folder, threads=1)
        assert again.manifest == exported.manifest
        assert again.facts(SIZE).memory == "2 references, 2 in a ring"

    def test_a_state_never_changes(self, exported: ExportedTracker) -> None:
        frames = noise(4)
        first = exported.start(frames[0], boxes(1, 2))
        once = exported.step(frames[1], first)[1]
        before = {name: exported.engine.as_array(value).copy() for name, value in once.values.items()}
        exported.step(frames[3], exported.step(frames[2], once)[1])
        for name, value in once.values.items():
            assert np.array_equal(exported.engine.as_array(value), before[name]), name
        assert np.array_equal(exported.step(frames[1], first)[1].mask, once.mask), "undo"

    def test_the_manifest_describes_the_graphs(self, bundle: Path, programs: Programs) -> None:
        manifest = Manifest.read(bundle)
        assert manifest.files and all((bundle / name).is_file() for name in manifest.files)
        graphs: list[tuple[GraphSpec, object]] = [
            (manifest.start, programs.start),
            (manifest.step, programs.step),
        ]
        for spec, program in graphs:
            assert (spec.inputs, spec.outputs) == (program.inputs, program.outputs)  # type: ignore[attr-defined]
        state = {each.name for each in manifest.start.outputs}
        assert {each.name for each in manifest.step.inputs} == {"image", *state}

    def test_what_it_cannot_read_or_compute_is_told(self, bundle: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(bundle, tmp_path / "bundle")
        manifest = Manifest.read(folder)
        (folder / manifest.step.file).write_bytes(b"no graph")
        replace(manifest, files={name: file_sha256(folder / name) for name in manifest.files}).write(folder)
        with pytest.raises(WeightsError, match=r"cannot read .*; export it again"):
            load_exported(folder)
        with pytest.raises(ModelError, match="no precision 'half'"):
            load_exported(bundle, precision="half")

    def test_the_table_names_what_it_needs(self) -> None:
        backend = find_backend(self.backend)
        assert backend.summary and "fp32" in backend.precisions and backend.engine and backend.package
        assert backend.writer_extra and backend.extra
