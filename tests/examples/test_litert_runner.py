"""The example for phones: short, free of limpet and torch, and its masks are limpet's own."""

from __future__ import annotations

import importlib.util
import re
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from networks import frames, mask_of
from PIL import Image
from runtime.bundles import SIZE, make_bundle, make_tracker, tiny_programs

from limpet.export.litert import PYTHON
from limpet.runtime.exported_tracker import load_exported

ROOT = Path(__file__).resolve().parents[2]
RUNNER = ROOT / "examples/litert_runner.py"
pytestmark = pytest.mark.timeout(600)  # the converter takes ten seconds to start, more on a busy machine


def test_it_is_short_and_needs_neither_limpet_nor_torch() -> None:
    lines = RUNNER.read_text().splitlines()
    assert len(lines) <= 60
    assert not re.search(r"^\s*(import|from) (limpet|torch)", RUNNER.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = ROOT / ".venv-litert/bin/python"
    if not python.is_file():
        pytest.skip("needs litert-torch; make its environment with scripts/litert_environment.sh")
    if importlib.util.find_spec("ai_edge_litert") is None:
        pytest.skip("needs ai-edge-litert; install it with: pip install 'limpet[litert]'")
    tracker = make_tracker(encoder="mobilenet-v2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PYTHON, str(python))
        folder = tmp_path_factory.mktemp("litert") / "bundle"
        return make_bundle(folder, "litert", tracker, tiny_programs(tracker))


def test_masks_are_those_of_the_runtime(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, mask = frames(4, *SIZE), mask_of(4, 9, height=SIZE[0], width=SIZE[1])
    for number, frame in enumerate(clip):
        cv2.imwrite(str(tmp_path / f"in{number:03d}.png"), frame[..., ::-1])
    Image.fromarray(mask).save(tmp_path / "first.png")
    arguments = [
        str(bundle),
        str(tmp_path / "in%03d.png"),
        str(tmp_path / "first.png"),
        str(tmp_path / "out"),
    ]
    monkeypatch.setattr(sys, "argv", [str(RUNNER), *arguments])
    runpy.run_path(str(RUNNER), run_name="__main__")

    tracker = load_exported(bundle)
    state, expected = tracker.start(clip[0], mask), [mask]
    for frame in clip[1:]:
        found, state = tracker.step(frame, state)
        expected.append(found)
    written = [np.array(Image.open(path)) for path in sorted((tmp_path / "out").glob("*.png"))]
    assert len(written) == 4
    for mine, theirs in zip(written, expected, strict=True):
        assert np.mean(mine == theirs) > 0.999
