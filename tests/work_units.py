"""How workers share the tests: what they run together, and what begins first."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

EXPORTS = (
    "tests/export/",
    "tests/runtime/",
    "tests/cli/test_export.py",
    "tests/models/test_adding_a_model.py",
    "tests/models/test_per_object.py",
)
"""One unit: the first export of a process takes as long as those that follow it."""
BROWSER = "tests/serve/browser/"
"""One unit, too: its server and its browser take seconds to start."""
FIRST = (
    *EXPORTS,
    BROWSER,
    "tests/cli/test_recipes.py",
    "tests/cli/test_distill.py",
    "tests/studies/",
    "tests/training/",
    "tests/distillation/",
)
"""What takes long with few tests: a worker that began with it at the end would be the last by far."""


def unit_of(nodeid: str) -> str:
    """The unit of a test: its file, all that export, or all that need a browser."""
    if nodeid.startswith(EXPORTS):
        return "exports"
    return BROWSER if nodeid.startswith(BROWSER) else nodeid.partition("::")[0]


def rank(nodeid: str) -> int:
    """The place of a test in the order: that of its start in FIRST, which all others follow."""
    return next((place for place, start in enumerate(FIRST) if nodeid.startswith(start)), len(FIRST))


class UnitScheduling(LoadFileScheduling):  # type: ignore[misc]
    """Units in the order in which their tests were collected; xdist would begin with those of many tests."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
