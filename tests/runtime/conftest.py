"""One tiny tracker with the memory policy ``bounded``, exported once; tests/export has one with a ring."""

from __future__ import annotations

from pathlib import Path

import pytest

from limpet.tracking.tracker import Tracker

from .bundles import for_openvino, make_bundle, make_tracker, tiny_programs


@pytest.fixture(scope="session")
def original() -> Tracker:
    return make_tracker()


@pytest.fixture(scope="session")
def bundles(original: Tracker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundles ``onnx``, ``openvino`` and ``torch``; tests only read it."""
    folder = tmp_path_factory.mktemp("bundles")
    programs = tiny_programs(original)
    onnx = make_bundle(folder / "onnx", "onnx", original, programs)
    for_openvino(onnx, folder / "openvino")
    make_bundle(folder / "torch", "torch", original, programs)
    return folder
