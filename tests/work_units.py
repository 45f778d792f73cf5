"""How workers share the tests: what they run together, and what begins first."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

TOGETHER = {"tests/export/": "tests/export/", "tests/runtime/": "tests/export/"}
"""Units of more than one file: the first export of a process takes as long as those that follow it."""
FIRST = (
    "tests/export/",
    "tests/runtime/",
    "tests/cli/test_recipes.py",
    "tests/cli/test_distill.py",
    "tests/studies/",
    "tests/training/",
    "tests/distillation/",
)
"""What takes long with few tests: a worker that began with it at the end would be the last by far."""


def unit_of(nodeid: str) -> str:
    """The unit of a test: its file, or several that share what takes long to make."""
    file = nodeid.partition("::")[0]
    return next((unit for start, unit in TOGETHER.items() if file.startswith(start)), file)


def rank(nodeid: str) -> int:
    """The place of a test in the order: that of its start in FIRST, which all others follow."""
    return next((place for place, start in enumerate(FIRST) if nodeid.startswith(start)), len(FIRST))


class UnitScheduling(LoadFileScheduling):  # type: ignore[misc]
    """Units in the order in which their tests were collected; xdist would begin with those of many tests."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
