"""A bounded, even choice of pictures from a video of unknown length."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.results.filmstrip import Filmstrip


def filled(count: int) -> Filmstrip:
    strip = Filmstrip(count=8, width=20)
    for index in range(count):
        if strip.wants():
            strip.add(index, index / 10, np.full((30, 40, 3), index % 256, np.uint8))
        else:
            strip.skip()
        assert len(strip._kept) < 32
    return strip


@pytest.mark.parametrize("count", [1, 3, 8, 9, 31, 32, 33, 100, 1000, 5000])
def test_even_and_bounded(count: int) -> None:
    stills = filled(count).thumbnails()
    indices = [still.index for still in stills]
    assert len(stills) == min(count, 8) and indices[0] == 0
    assert indices[-1] >= count - 1 - count / 16
    if count > 8:
        gaps = np.diff(indices)
        assert gaps.max() <= 2 * gaps.min()


def test_pictures_are_small_and_belong_to_their_index() -> None:
    for still in filled(100).thumbnails():
        assert still.image().size == (20, 15)
        assert abs(int(np.asarray(still.image())[5, 5, 0]) - still.index) <= 2
        assert still.time == still.index / 10
