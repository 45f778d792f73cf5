"""One tiny tracker, captured once."""

from __future__ import annotations

import pytest
from runtime.bundles import make_tracker, tiny_programs

from limpet.export.program import Programs
from limpet.tracking.tracker import Tracker


@pytest.fixture(scope="session")
def tiny() -> Tracker:
    return make_tracker()


@pytest.fixture(scope="session")
def programs(tiny: Tracker) -> Programs:
    return tiny_programs(tiny)
