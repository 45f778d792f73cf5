"""What the frames had before the last edit, without undoing it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from limpet.core.masks import decode_mask
from limpet.project import Project


def test_the_frames_before_the_last_edit(project: Project) -> None:
    assert project.before_last_edit() is None
    mask = np.zeros(project.size, np.uint8)
    mask[1:4, 1:4] = 1
    project.add(0, mask)
    earlier = project.before_last_edit()
    assert earlier is not None and earlier.entry(0) is None
    project.correct(0, np.roll(mask, 2, 1))
    earlier = project.before_last_edit()
    assert earlier is not None
    entry = earlier.entry(0)
    assert entry is not None and entry.mask is not None
    assert np.array_equal(decode_mask(project.masks.get(entry.mask)), mask)
    assert np.array_equal(project.mask(0), np.roll(mask, 2, 1)), "nothing is undone"


def test_a_history_that_cannot_be_read_is_no_comparison(project: Project) -> None:
    mask = np.zeros(project.size, np.uint8)
    mask[1:4, 1:4] = 1
    project.add(0, mask)
    project.correct(0, np.roll(mask, 2, 1))
    history: Path = project.path / "history" / "00001.json"
    history.write_text("{")
    assert project.before_last_edit() is None
