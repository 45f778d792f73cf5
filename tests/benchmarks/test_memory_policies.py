"""All policies of a model in one go have the scores that they have alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from memory_policies import PolicyResult, compare_on, summary
from score import score_sequence

from .sequences import TINY, write_sequence

CONFIG = replace(TINY, memory=None)
POLICIES = ("first", "ring:1:2", "bounded:2:1")


def make_sequence(root: Path, frames: int) -> None:
    """A box that moves and grows."""
    masks = []
    for index in range(frames):
        mask = np.zeros((64, 96), np.uint8)
        mask[16 - index : 40 + 2 * index, 16 + 4 * index : 48 + 6 * index] = 1
        masks.append(mask)
    write_sequence(root, "box", masks)


def test_policies_in_one_go_score_as_alone(tmp_path: Path) -> None:
    make_sequence(tmp_path, 6)
    found = compare_on("box", CONFIG, tmp_path, POLICIES)
    assert [each.policy for each in found] == list(POLICIES)
    for each in found:
        alone = score_sequence(replace(CONFIG, memory=each.policy), tmp_path, "box")
        assert each.j_and_f == pytest.approx(alone.j_and_f, abs=1e-9)
        assert len(each.milliseconds) == 5 and min(each.milliseconds) > 0
    sizes = {each.policy: each.state_mb for each in found}
    assert sizes["first"] < sizes["bounded:2:1"] < sizes["ring:1:2"]


def test_a_summary_has_the_means_of_its_parts() -> None:
    results = [
        PolicyResult("bus", "first", 80.0, (1.0, 2.0, 9.0), 1.0),
        PolicyResult("libby", "first", 60.0, (3.0, 4.0), 2.0),
    ]
    found = summary(results, {"dev": ("bus",), "hard": ("libby", "soapbox"), "score": ("bus", "libby")})
    assert found["j_and_f"] == {"dev": 80.0, "hard": None, "score": 70.0}
    assert found["milliseconds"]["median"] == 3.0 and found["state_mb"] == 2.0
