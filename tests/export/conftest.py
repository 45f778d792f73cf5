"""One tiny tracker with a ring, captured once, and what a format makes of it; one with ``bounded``: tests/runtime."""

from __future__ import annotations

from pathlib import Path

import pytest
from runtime.bundles import make_bundle, make_tracker, tiny_programs

from limpet.export.program import Programs
from limpet.runtime.exported_tracker import ExportedTracker, load_exported
from limpet.tracking.memory_policies import Ring
from limpet.tracking.tracker import Tracker


@pytest.fixture(scope="session")
def tiny() -> Tracker:
    return make_tracker(Ring)


@pytest.fixture(scope="session")
def programs(tiny: Tracker) -> Programs:
    return tiny_programs(tiny)


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
