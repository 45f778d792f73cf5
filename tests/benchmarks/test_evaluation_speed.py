"""The race of evaluation: both ways read the same masks and find the same scores."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluation_speed import compare, make_data


def test_both_ways_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation_speed.SIZE", (120, 200))
    make_data(tmp_path, 3, 5)
    result = compare(tmp_path)
    assert (result["sequences"], result["frames"], result["objects_in_frames"]) == (3, 9, 18)
    assert result["largest_difference"] == pytest.approx(0, abs=1e-12)
    assert result["limpet_seconds"] > 0 and result["reference_seconds"] > 0
