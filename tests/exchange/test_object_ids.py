"""Ids of objects in formats that have no place for them."""

from __future__ import annotations

from limpet.exchange.object_ids import ids_of, label_of, name_of


def test_labels() -> None:
    assert (label_of(7, ""), label_of(7, "cat")) == ("object 7", "cat")
    assert (name_of("object 7", 7), name_of("cat", 7), name_of("object 8", 7)) == ("", "cat", "object 8")


def test_stated_ids_come_first_and_others_take_what_is_free() -> None:
    assert ids_of([7, 3], ["cat", "dog"]) == ([7, 3], True)
    assert ids_of([None, None], ["object 9", "object 4"]) == ([9, 4], True)
    assert ids_of([None, 1, None, 1], ["a", "b", "c", "d"]) == ([2, 1, 3, 4], False)
    assert ids_of([0, 70_000], ["a", "b"]) == ([1, 2], False)
