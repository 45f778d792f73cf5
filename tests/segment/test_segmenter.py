"""A click on a mask that was there before changes only what it touches."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.core.errors import MaskError
from limpet.segment.segmenter import Click, check_clicks, touched_only

IMAGE = np.zeros((50, 60, 3), np.uint8)


def mask(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    found = np.zeros((50, 60), np.float32)
    for top, bottom, left, right in boxes:
        found[top:bottom, left:right] = 1
    return found


def test_only_the_piece_with_the_click_changes() -> None:
    before, after = mask((0, 10, 0, 10)), mask((0, 10, 0, 10), (20, 30, 20, 30), (40, 50, 40, 50))
    merged = touched_only(before, after, Click(25, 25))
    assert np.array_equal(merged, mask((0, 10, 0, 10), (20, 30, 20, 30)))


def test_a_piece_goes_away_where_it_was_clicked_and_all_others_stay() -> None:
    before, after = mask((0, 10, 0, 10), (20, 30, 20, 30)), mask()
    assert np.array_equal(touched_only(before, after, Click(5, 5, positive=False)), mask((20, 30, 20, 30)))


def test_a_change_beside_the_click_counts_as_touched_and_one_further_away_does_not() -> None:
    before, after = mask(), mask((20, 30, 20, 30))
    assert touched_only(before, after, Click(18, 25)).any()
    assert not touched_only(before, after, Click(10, 25)).any()


def test_inside_of_the_mask_small_differences_do_not_count() -> None:
    before, after = mask((0, 10, 0, 10)), mask((0, 10, 0, 10)) * 0.8
    assert np.array_equal(touched_only(before, after, Click(5, 5)), before)


@pytest.mark.parametrize("click", [Click(-1, 3), Click(60, 3), Click(3, 50), Click(float("nan"), 3)])
def test_a_click_outside_of_the_image_is_refused(click: Click) -> None:
    with pytest.raises(MaskError, match="outside of the image of 60x50 pixels"):
        check_clicks(IMAGE, [Click(1, 1), click])


def test_no_click_is_refused() -> None:
    with pytest.raises(MaskError, match="there is no click"):
        check_clicks(IMAGE, [])
