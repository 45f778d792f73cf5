"""Overlaps frame by frame: empty regions, the image's border, pixels that do not count."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.core.errors import DataError
from limpet.evaluation.vot.overlaps import run_overlaps
from limpet.evaluation.vot.regions import NOTHING, BoxedMask

SIZE = (10, 12)


def box(x: int, y: int, width: int = 4, height: int = 4) -> BoxedMask:
    return BoxedMask(x, y, np.ones((height, width), bool))


def test_frames_of_every_kind() -> None:
    answers = [None, box(2, 2), box(4, 2), NOTHING, box(2, 2), NOTHING, box(2, 2)]
    truth = [box(2, 2), box(2, 2), box(2, 2), box(2, 2), NOTHING, NOTHING, None]
    found = run_overlaps(answers, truth, SIZE)
    assert found.overlap == pytest.approx([0, 1, 8 / 24, 0, 0, 1, 0])
    assert found.visible.tolist() == [True, True, True, True, False, False, False]
    assert found.answered.tolist() == [False, True, True, False, True, False, True]
    assert found.known.tolist() == [True] * 6 + [False]


def test_what_is_beyond_the_image_does_not_count() -> None:
    found = run_overlaps([box(10, 8, 4, 4)], [box(10, 8, 2, 2)], SIZE)
    assert found.overlap.tolist() == [1.0]


def test_ignored_pixels_do_not_count() -> None:
    ignored = [box(0, 0, 4, 10), None]
    found = run_overlaps([box(2, 2), box(2, 2)], [box(4, 2, 2, 4), box(4, 2, 2, 4)], SIZE, ignored)
    assert found.overlap.tolist() == [1.0, 0.5]


def test_a_run_of_another_length() -> None:
    with pytest.raises(DataError, match="a run has 1 frames, but its sequence 2; run the toolkit again"):
        run_overlaps([NOTHING], [NOTHING, NOTHING], SIZE)
