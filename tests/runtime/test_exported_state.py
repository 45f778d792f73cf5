"""Which place a reference takes, and what a state remembers of the frame afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.runtime.exported_state import MemoryLayout, with_reference


@pytest.mark.parametrize(
    ("known", "frame", "expected"),
    [
        ((0,), 4, (1, (0, 4))),
        ((0, 4), 4, (1, (0, 4))),
        ((0, 4), 0, (0, (0, 4))),
        ((0, 4), 9, (1, (0, 9))),
    ],
)
def test_places(known: tuple[int, ...], frame: int, expected: tuple[int, tuple[int, ...]]) -> None:
    assert MemoryLayout(references=2, ring=3).choose(known, frame) == expected


def test_a_single_place_is_taken_by_the_newest() -> None:
    assert MemoryLayout(references=1, ring=0).choose((0,), 7) == (0, (7,))


@pytest.mark.parametrize("in_ring", [False, True])
def test_what_is_remembered(in_ring: bool) -> None:
    """Two references, a ring of two, three tokens a frame; the ring begins anew at its first place."""
    values = {
        "present": np.array([[1, 1, 0]], np.float32), "memory_mask": np.array([[1, 0, 1, 1]], np.float32),
        "since": np.array([1], np.int32), "cursor": np.array([0], np.int32),
        "long.0.key": np.repeat([1, 2, 3, 4], 3)[None, :, None].astype(np.float32),
        "short.0.key": np.full((1, 3, 1), 5, np.float32),
    }  # fmt: skip
    fresh = values | {
        "present": np.array([[1, 0, 1]], np.float32), "short.0.key": np.full((1, 3, 1), 9, np.float32),
        "long.0.key": np.repeat([9, 0, 0, 0], 3)[None, :, None].astype(np.float32),
    }  # fmt: skip
    before = {name: array.copy() for name, array in values.items()}
    after = with_reference(values, fresh, MemoryLayout(2, 2), 1, in_ring)
    assert after["present"].tolist() == [[1, 1, 1]], "objects that are hidden are still followed"
    assert after["long.0.key"][0, ::3, 0].tolist() == [1, 9, 3, 4]
    assert (after["short.0.key"] == 9).all() and after["since"] == 0
    assert after["memory_mask"].tolist() == [[1, 1, 1, 0 if in_ring else 1]]
    assert after["cursor"] == (1 if in_ring else 0), "the frame leaves its place in the ring"
    assert all(np.array_equal(values[name], array) for name, array in before.items())
