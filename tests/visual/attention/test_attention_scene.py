"""Which objects attend to what, and which query is shown."""

from __future__ import annotations

from limpet.visual.attention.attention_record import choose_query

from .scenes import plain, scene


def test_each_object_attends_in_its_own_group() -> None:
    first, second = plain((1, 2)), plain((3,), seed=5)
    found = {s.object_id: s for s in scene(first, second, visible=(1, 2, 3)).objects}
    assert found[1].record is first and found[3].record is second
    assert set(found[1].queries % 7) == {0, 1} and set(found[2].queries % 7) == {2, 3}


def test_an_object_that_is_not_visible_has_no_queries() -> None:
    made = scene(plain((1, 2, 3)))
    assert [len(s.queries) > 0 for s in made.objects] == [True, True, False]
    assert [s.object_id for s in made.visible_objects] == [1, 2]


def test_the_oldest_and_the_newest_frame_are_shown() -> None:
    many = scene(plain((1, 2), (8, 4, 0)), plain((3,), (4, 0)), key_panels=2)
    assert many.shown_keys == (0, 8)
    assert scene(plain((1, 2, 3)), key_panels=2).shown_keys == (0, None)
    assert scene(plain((1, 2, 3), (8, 0)), key_panels=1).shown_keys == (0,)


def test_the_query_is_chosen_for_the_first_object_that_is_visible() -> None:
    made = scene(plain((1, 2, 3)), visible=(0, 2))
    shown, cell = made.find_query() or (None, 0)
    assert shown is made.objects[1]
    assert cell == choose_query(shown.record, shown.queries)
    assert scene(plain((1, 2, 3)), visible=()).find_query() is None


def test_a_query_that_was_asked_for_belongs_to_the_object_under_it() -> None:
    made = scene(plain((1, 2)), plain((3,)), query=(49, 31))
    shown, cell = made.find_query() or (None, 0)
    assert (shown, cell) == (made.objects[1], 2 * 7 + 3)
    outside = scene(plain((1, 2)), plain((3,)), query=(96, 64))
    assert outside.find_query() == (outside.objects[0], 34)
