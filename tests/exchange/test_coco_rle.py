"""Run lengths equal those of pycocotools, there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limpet.core.errors import MaskError
from limpet.exchange.coco_rle import (
    area,
    bounding_box,
    compress,
    counts_to_flat,
    counts_to_mask,
    decompress,
    label_counts,
    mask_counts,
)


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    small = rng.random((height, width)) < draw(st.sampled_from([0, 0.03, 0.5, 0.97, 1]))
    return np.kron(small, np.ones(draw(st.sampled_from([(1, 1), (7, 9), (40, 3)])), bool))


@settings(max_examples=80, deadline=None)
@given(masks())
def test_equal_to_pycocotools(mask: np.ndarray) -> None:
    oracle = pytest.importorskip("pycocotools.mask")
    theirs = oracle.encode(np.asfortranarray(mask, np.uint8))
    counts = mask_counts(mask)
    assert compress(counts) == theirs["counts"].decode()
    assert area(counts) == oracle.area(theirs)
    assert list(bounding_box(counts, mask.shape[0])) == (
        list(oracle.toBbox(theirs)) if mask.any() else [0] * 4
    )
    assert np.array_equal(decompress(theirs["counts"], mask.size), counts)


@settings(max_examples=60, deadline=None)
@given(masks())
def test_there_and_back(mask: np.ndarray) -> None:
    counts = decompress(compress(mask_counts(mask)), mask.size)
    assert np.array_equal(counts_to_mask(counts, mask.shape), mask)
    flat = np.zeros(mask.size, bool)
    flat[counts_to_flat(counts)] = True
    assert np.array_equal(flat.reshape(mask.shape[::-1]).T, mask)
    rows = mask_counts(mask, "C")
    assert np.array_equal(counts_to_mask(rows, mask.shape, "C"), mask)


def test_rows_and_columns_are_not_mixed_up() -> None:
    mask = np.zeros((3, 5), bool)
    mask[0, 1] = mask[1, 1] = mask[1, 2] = True  # an L
    assert mask_counts(mask).tolist() == [3, 2, 2, 1, 7]
    assert mask_counts(mask, "C").tolist() == [1, 1, 4, 2, 7]


def test_a_label_map_in_one_pass_equals_mask_by_mask() -> None:
    rng = np.random.default_rng(3)
    for dtype in (np.uint8, np.uint16):
        labels = rng.integers(0, 6, (17, 23)).astype(dtype)
        found = label_counts(labels)
        assert sorted(found) == [1, 2, 3, 4, 5]
        for number, counts in found.items():
            assert np.array_equal(counts, mask_counts(labels == number))
    assert label_counts(np.zeros((4, 5), np.uint8)) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\x10", "damaged"),  # below the first character
        ("é", "damaged"),
        ("P", "damaged"),  # the last group says that another follows
        ("P" * 12 + "0", "more pixels than any picture"),
        ("5", "covers 5 pixels"),
        ("5O", "negative"),
        ("", "covers 0 pixels"),
    ],
)
def test_damage_is_told(text: str, words: str) -> None:
    with pytest.raises(MaskError, match=words):
        decompress(text, 20)
