"""Drawing masks over frames."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.visual.overlay import draw_overlay, object_colour

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
MASK = np.zeros((40, 60), np.uint8)
MASK[10:25, 10:30] = 7
MASK[10:25, 30:45] = 200


def test_fill_against_the_obvious_formula() -> None:
    drawn = draw_overlay(IMAGE, MASK, fill=0.4, outline=False)
    expected = IMAGE.astype(float)
    for number in (7, 200):
        expected[number == MASK] = 0.6 * expected[number == MASK] + 0.4 * np.array(object_colour(number))
    assert np.abs(drawn - expected).max() <= 1


def test_outline_is_inside_in_the_objects_colour_and_dark_around() -> None:
    drawn = draw_overlay(IMAGE, MASK)
    assert tuple(drawn[10, 15]) == object_colour(7) and tuple(drawn[24, 44]) == object_colour(200)
    assert tuple(drawn[15, 29]) == object_colour(7) and tuple(drawn[15, 30]) == object_colour(200)
    assert np.array_equal(drawn[9, 15], IMAGE[9, 15] // 3)


def test_far_from_objects_nothing_changes() -> None:
    drawn = draw_overlay(IMAGE, MASK)
    far = np.ones_like(MASK, bool)
    far[9:26, 9:46] = False
    assert np.array_equal(drawn[far], IMAGE[far])
    assert drawn is not IMAGE and not np.array_equal(drawn, IMAGE)


def test_the_input_is_not_changed() -> None:
    image, mask = IMAGE.copy(), MASK.copy()
    draw_overlay(image, mask)
    assert np.array_equal(image, IMAGE) and np.array_equal(mask, MASK)


@pytest.mark.parametrize("mask", [np.zeros_like(MASK), np.full_like(MASK, 3)])
def test_no_object_and_only_object(mask: np.ndarray) -> None:
    drawn = draw_overlay(IMAGE, mask, fill=1, outline=False)
    expected = IMAGE if not mask.any() else np.broadcast_to(np.array(object_colour(3), np.uint8), IMAGE.shape)
    assert np.array_equal(drawn, expected)


def test_objects_at_the_border_and_of_one_pixel() -> None:
    mask = np.zeros_like(MASK)
    mask[0, 0] = mask[39, 59] = 1
    drawn = draw_overlay(IMAGE, mask)
    assert tuple(drawn[0, 0]) == tuple(drawn[39, 59]) == object_colour(1)


def test_colours_differ_and_are_visible() -> None:
    colours = {object_colour(number) for number in range(1, 256)}
    assert len(colours) == 255
    assert min(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in colours) >= 89


def test_other_size() -> None:
    with pytest.raises(ValueError, match=r"image is \(40, 60\) but mask is \(4, 4\)"):
        draw_overlay(IMAGE, np.zeros((4, 4), np.uint8))
