"""One small deformable tracker with MobileNetV2 and a ring, captured once, and what a format makes of it.

One with ``bounded``, without learned places and with an encoder that is even smaller: tests/runtime.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from onnx import ModelProto
from runtime.bundles import make_bundle, make_tracker, tiny_programs

from limpet.export.onnx import to_onnx
from limpet.export.program import Programs
from limpet.runtime.exported_tracker import ExportedTracker, load_exported
from limpet.tracking.memory_policies import Ring
from limpet.tracking.tracker import Tracker

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def litert_converter() -> Path:
    """The Python of litert-torch, where its environment was made."""
    python = ROOT / ".venv-litert/bin/python"
    if not python.is_file():
        pytest.skip("needs litert-torch; make its environment with scripts/litert_environment.sh")
    if importlib.util.find_spec("ai_edge_litert") is None:
        pytest.skip("needs ai-edge-litert; install it with: pip install 'limpet[litert]'")
    return python


@pytest.fixture(scope="session")
def tiny() -> Tracker:
    return make_tracker(Ring, deformable=True, encoder="mobilenet-v2")


@pytest.fixture(scope="session")
def programs(tiny: Tracker) -> Programs:
    return tiny_programs(tiny)


@pytest.fixture(scope="session")
def models(programs: Programs) -> dict[str, ModelProto]:
    """Both graphs in ONNX; tests only read them."""
    return {program.name: to_onnx(program) for program in (programs.start, programs.step)}


@pytest.fixture(scope="class")
def bundle(
    request: pytest.FixtureRequest,
    tiny: Tracker,
    programs: Programs,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The tiny tracker in the format that the test class names, in fp32; tests only read it."""
    name = request.cls.backend
    return make_bundle(tmp_path_factory.mktemp("bundles") / name, name, tiny, programs)


@pytest.fixture(scope="class")
def exported(bundle: Path) -> ExportedTracker:
    """The bundle, opened."""
    return load_exported(bundle, threads=1)
