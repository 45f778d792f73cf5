"""Polygons enclose exactly the pixels of their masks, for us and for pycocotools."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.core.errors import MaskError
from limpet.exchange.polygons import fill_polygons, outlines, rings_of


def without_holes(mask: np.ndarray) -> np.ndarray:
    """Background that is not connected to the border, by spreading from there step by step."""
    outside = np.pad(np.zeros_like(mask), 1, constant_values=True)
    free = np.pad(~mask, 1, constant_values=True)
    while True:
        grown = outside.copy()
        for axis in (0, 1):
            for step in (1, -1):
                grown |= np.roll(outside, step, axis)
        grown &= free
        if np.array_equal(grown, outside):
            return ~outside[1:-1, 1:-1]
        outside = grown


@pytest.mark.parametrize("seed", range(12))
def test_outlines_enclose_the_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.random((9, 11)) < 0.3 + 0.05 * seed, np.ones((2, 3) if seed % 2 else (1, 1), bool))
    rings, _ = outlines(mask)
    filled = np.zeros_like(mask)
    for ring in rings:
        filled |= fill_polygons([ring], mask.shape)
    assert not (mask & ~filled).any(), "no pixel of the mask is lost"
    assert not (filled & ~without_holes(mask)).any(), "only holes are filled"
    oracle = pytest.importorskip("pycocotools.mask")
    flat = [ring.ravel().tolist() for ring in rings]
    theirs = oracle.decode(oracle.merge(oracle.frPyObjects(flat, *mask.shape))).astype(bool)
    assert np.array_equal(theirs, filled)


def test_holes_are_counted() -> None:
    mask = np.ones((9, 9), bool)
    mask[2, 2] = mask[5:7, 5] = False
    rings, holes = outlines(mask)
    assert holes == 2
    assert [ring.tolist() for ring in rings] == [[[0, 0], [0, 9], [9, 9], [9, 0]]]


def test_a_polygon_with_edges_of_any_direction_takes_the_pixels_whose_centre_it_holds() -> None:
    triangle = rings_of([[0, 0, 6, 0, 0, 6]], "it")[0]
    expected = np.add.outer(np.arange(8), np.arange(9)) < 5
    assert np.array_equal(fill_polygons([triangle], (8, 9)), expected)


def test_what_lies_outside_is_cut() -> None:
    ring = rings_of([[-5, -5, 3, -5, 3, 50, -5, 50]], "it")[0]
    assert fill_polygons([ring], (4, 6)).sum() == 12


@pytest.mark.parametrize(
    "polygons", [[[1, 2, 3]], [["a", "b"]], [[float("nan"), 1, 2, 3, 4, 5]], [[1e9, 1, 2, 3, 4, 5]], 5]
)
def test_other_polygons_are_refused(polygons: object) -> None:
    with pytest.raises(MaskError, match=r"^it has a polygon"):
        rings_of(polygons, "it")
