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


@pytest.mark.parametrize("offered", [False, True])
def test_what_is_remembered(offered: bool) -> None:
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
    after = with_reference(values, fresh, MemoryLayout(2, 2), 1, offered)
    assert after["present"].tolist() == [[1, 1, 1]], "objects that are hidden are still followed"
    assert after["long.0.key"][0, ::3, 0].tolist() == [1, 9, 3, 4]
    assert (after["short.0.key"] == 9).all() and after["since"] == 0
    assert after["memory_mask"].tolist() == [[1, 1, 1, 0 if offered else 1]]
    assert after["cursor"] == (1 if offered else 0), "the frame leaves its place in the ring"
    assert all(np.array_equal(values[name], array) for name, array in before.items())


@pytest.mark.parametrize(
    ("offered", "age", "kept"),
    [
        (False, [9, 8, 3, 0], [1, 1, 1, 1]),
        (True, [9, 8, 3, 0], [1, 1, 1, 0]),
        (True, [9, 8, 3, 1], [1, 1, 1, 1]),
    ],
)
def test_what_is_remembered_by_value(offered: bool, age: list[int], kept: list[int]) -> None:
    """The frame leaves its place only if it has one: it was a candidate, and an object was seen in it."""
    values = {
        "present": np.ones((1, 2), np.float32), "memory_mask": np.array([[1, 0, 1, 1]], np.float32),
        "since": np.array([0], np.int32), "age": np.array([age], np.int32),
        "confidence": np.array([[1, 0, 0.5, 0.7]], np.float32),
        "descriptor": np.array([[[1], [2], [3], [4]]], np.float32),
    }  # fmt: skip
    fresh = values | {"descriptor": np.array([[[9], [0], [0], [0]]], np.float32)}
    before = {name: array.copy() for name, array in values.items()}
    after = with_reference(values, fresh, MemoryLayout(2, 2), 1, offered)
    assert after["memory_mask"].tolist() == [kept] and after["descriptor"].ravel().tolist() == [1, 9, 3, 4]
    assert after["age"].tolist() == [age] and np.array_equal(after["confidence"], values["confidence"])
    assert all(np.array_equal(values[name], array) for name, array in before.items())


def test_places_in_words() -> None:
    assert MemoryLayout(2, 3).sentence("ring") == "2 references, 3 in a ring"
    assert MemoryLayout(2, 3).sentence("bounded") == "2 references, 3 tracked, bounded"
