"""The page about what goes wrong names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/trust.md").read_text(encoding="utf-8")


def test_every_row_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| what ")]
    assert len(rows) > 60
    for row in rows:
        found = re.search(r"`([a-z_/]+\.py)::(test_[a-z0-9_]+)` \|$", row)
        assert found, row
        assert f"def {found[2]}(" in (ROOT / "tests" / found[1]).read_text(encoding="utf-8"), row
