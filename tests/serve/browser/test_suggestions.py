"""Tools that the server helps: what they find is a suggestion until the person accepts it."""

from __future__ import annotations

import numpy as np

from .page_driver import Driver
from .served import SIZE, SQUARE


def square() -> np.ndarray:
    """Where the red square is in frame 0, bool (H, W)."""
    top, left, side = SQUARE
    mask = np.zeros(SIZE, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def overlap(driver: Driver, object_id: int) -> float:
    """IoU of an object's mask in frame 0 with the square."""
    mask = driver.project.mask(0)
    assert mask is not None
    found = mask == object_id
    return float((found & square()).sum() / (found | square()).sum())


def test_a_box_finds_what_is_in_it(driver: Driver) -> None:
    top, left, side = SQUARE
    driver.press("r")
    driver.drag((left - 8, top - 8), (left + side + 8, top + side + 8))
    driver.page.get_by_text("Suggested mask").wait_for()
    assert driver.project.mask(0) is None, "nothing is changed yet"
    driver.press("Escape")
    driver.drag((left - 8, top - 8), (left + side + 8, top + side + 8))
    driver.page.get_by_role("button", name="Accept").click()
    driver.saved()
    assert overlap(driver, 1) > 0.9
    assert len(driver.project.edits) == 1


def test_a_livewire_follows_the_edge(driver: Driver) -> None:
    top, left, side = SQUARE
    bottom, right = top + side, left + side
    driver.press("w")
    for corner in ((left, top), (right, top), (right, bottom), (left, bottom)):
        driver.page.mouse.move(*driver.at(*corner))
        driver.page.wait_for_timeout(300)
        driver.click(*corner)
    driver.press("Enter")
    driver.saved()
    assert overlap(driver, 1) > 0.8


def test_clicks_say_why_they_are_not_there(driver: Driver) -> None:
    button = driver.page.get_by_role("button", name="Click", exact=True)
    assert button.is_disabled()
    assert "no " in button.get_attribute("title")
