"""Which object lives in which group and slot, and which masks are refused."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.core.errors import MaskError, ModelError
from limpet.core.groups import check_mask, extend_groups, object_ids, objects_per_pass, split_into_groups


def test_ids_are_ascending_and_without_background() -> None:
    mask = np.array([[200, 0, 7], [7, 255, 0]], np.uint8)
    assert object_ids(mask) == (7, 200, 255)
    assert all(type(i) is int for i in object_ids(mask)), "numpy integers would not fit JSON"
    assert object_ids(np.zeros((2, 2), np.uint8)) == ()


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (20, [10, 10]), (25, [10, 10, 5])]
)
def test_groups_are_filled_in_order(count: int, sizes: list[int]) -> None:
    groups = split_into_groups(range(1, count + 1), 10)
    assert [len(group) for group in groups] == sizes
    assert [i for group in groups for i in group] == list(range(1, count + 1))


def test_new_ids_take_free_slots_of_the_last_group_and_then_new_groups() -> None:
    assert extend_groups([(5, 6)], [1, 9], 3) == [(5, 6, 1), (9,)]
    assert extend_groups([(5, 6, 7)], [1], 3) == [(5, 6, 7), (1,)]
    assert extend_groups([(5, 6, 7), (8,)], [1, 2, 3, 4], 3) == [(5, 6, 7), (8, 1, 2), (3, 4)]


def test_objects_with_logits_of_their_own_always_begin_a_group() -> None:
    assert extend_groups([(5,)], [1, 9, 2, 3], 3, independent=True) == [(5,), (1, 9, 2), (3,)]


def test_without_new_ids_the_groups_stay() -> None:
    assert extend_groups([(5, 6, 7), (8,)], [], 3) == [(5, 6, 7), (8,)]


def test_a_group_that_is_larger_than_it_would_be_made_stays() -> None:
    assert extend_groups([(5, 6, 7)], [1, 2], 1) == [(5, 6, 7), (1,), (2,)]


def test_objects_at_once_are_no_more_than_the_network_holds() -> None:
    assert [objects_per_pass(10, wished) for wished in (None, 1, 10, 50)] == [10, 1, 10, 10]
    with pytest.raises(ModelError, match="objects_at_once is 0; expected 1 to 10"):
        objects_per_pass(10, 0)


def test_a_good_mask_passes() -> None:
    mask = np.zeros((4, 6), np.uint8)
    check_mask(mask, (4, 6), allow_empty=True)
    mask[1, 1] = 255
    check_mask(mask, (4, 6))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (
            np.ones((4, 6), np.int64),
            r"a mask is int64 \(4, 6\); expected a numpy array uint8 \(height, width\)",
        ),
        (np.ones((4, 6), bool), r"a mask is bool \(4, 6\)"),
        (np.ones((4, 6, 3), np.uint8), r"a mask is uint8 \(4, 6, 3\)"),
        ([[1, 0]], "a mask is list; expected a numpy array"),
        (np.ones((6, 4), np.uint8), "mask is 6x4 but the frame is 4x6; resize it to the frame by nearest"),
        (np.zeros((4, 6), np.uint8), r"the mask holds no object: every pixel is background \(0\); draw each"),
    ],
    ids=["int64", "bool", "colours", "list", "size", "empty"],
)
def test_refused_masks(mask: object, message: str) -> None:
    with pytest.raises(MaskError, match=message):
        check_mask(mask, (4, 6))  # type: ignore[arg-type]
