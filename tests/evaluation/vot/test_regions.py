"""Masks as VOT writes them: there and back, what is cut off, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays

from limpet.core.errors import DataError
from limpet.evaluation.vot.regions import ABSENT, NOTHING, BoxedMask, decode_region, encode_region


@settings(max_examples=60, deadline=None)
@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)))
def test_there_and_back(mask: np.ndarray) -> None:
    for start in ("m", "mask:"):
        assert np.array_equal(decode_region(start + encode_region(mask)).on_image(mask.shape), mask)


def test_a_mask_of_the_protocol_may_leave_out_its_last_background() -> None:
    found = decode_region("mask:0,0,12,10,27,4,8,4,8,4").on_image((10, 12))  # as libtrax writes it
    expected = np.zeros((10, 12), bool)
    expected[2:5, 3:7] = True
    assert np.array_equal(found, expected)


def test_what_is_beyond_the_image_is_cut_off() -> None:
    box = BoxedMask(-1, 2, np.ones((3, 3), bool))
    assert np.argwhere(box.on_image((4, 5))).tolist() == [[2, 0], [2, 1], [3, 0], [3, 1]]
    assert not BoxedMask(9, 9, np.ones((2, 2), bool)).on_image((4, 5)).any()


@pytest.mark.parametrize("text", ["0", "m0,0,0,0", f"m{ABSENT}", "5,5,0,0", "mask:0,0,0,0,0"])
def test_an_object_that_is_not_there(text: str) -> None:
    assert decode_region(text).is_empty and NOTHING.is_empty


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1,1,5,5", "line 3 is a box or a polygon"),
        ("1,1,5,5,7,7", "line 3 is a box or a polygon"),
        ("m1,1", "a mask of VOT is x,y,w,h and lengths of runs; found 1,1"),
        ("m0,0,2,2,1,9", "the runs of a VOT mask cover 10 pixels, but its box has 2x2"),
        ("mx", "line 3 is 'mx'; expected a mask as VOT writes it"),
        ("m0,0,2,2,1,-9", "found 0,0,2,2,1,-9"),
    ],
)
def test_what_is_no_mask_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        decode_region(text, "line 3")
