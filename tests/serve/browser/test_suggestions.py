"""Tools that the server helps: what they find is a suggestion until the person accepts it."""

from __future__ import annotations

from typing import Any

import cv2
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


def disks(*clicks: tuple[int, int, int]) -> np.ndarray:
    """What the server's model for tests makes of clicks (x, y, 1 or 0)."""
    mask = np.zeros(SIZE, np.uint8)
    for x, y, positive in clicks:
        cv2.circle(mask, (x, y), 10, positive, thickness=-1)
    return mask


def proposed(driver: Driver) -> int:
    """Pixels of the mask that is suggested."""
    script = "import('/core/store.js').then(store => store.get().proposal?.plane.filter(Boolean).length ?? 0)"
    return int(driver.page.evaluate(script))


def wait_for_pixels(driver: Driver, count: int) -> None:
    for _ in range(400):
        if proposed(driver) == count:
            return
        driver.page.wait_for_timeout(50)
    assert proposed(driver) == count


def test_clicks_are_one_edit_that_begins_with_the_mask_that_there_was(driver: Driver) -> None:
    driver.press("k")
    first, second, third = (40, 40, 1), (80, 50, 1), (44, 40, 0)
    driver.click(40.5, 40.5)
    wait_for_pixels(driver, int(disks(first).sum()))
    driver.click(80.5, 50.5)
    wait_for_pixels(driver, int(disks(first, second).sum()))
    driver.page.mouse.click(*driver.at(44.5, 40.5), button="right")
    wait_for_pixels(driver, int(disks(first, second, third).sum()))
    driver.press("Backspace")
    wait_for_pixels(driver, int(disks(first, second).sum()))
    assert driver.project.mask(0) is None, "nothing is changed yet"
    driver.press("Enter")
    driver.saved()
    assert np.array_equal(driver.project.mask(0), disks(first, second))
    earlier = driver.masks()
    driver.page.mouse.click(*driver.at(44.5, 40.5), button="right")
    wait_for_pixels(driver, int(disks(first, second, third).sum()))
    driver.press("Backspace")
    wait_for_pixels(driver, 0)
    driver.page.mouse.click(*driver.at(44.5, 40.5), button="right")
    wait_for_pixels(driver, int(disks(first, second, third).sum()))
    driver.press("Enter")
    driver.saved()
    assert len(driver.project.edits) == 2
    driver.press("Control+z")
    driver.note("undone")
    assert driver.masks() == earlier


def test_two_quick_clicks_both_count(driver: Driver) -> None:
    driver.press("k")
    driver.click(40.5, 40.5)
    driver.click(80.5, 50.5)
    wait_for_pixels(driver, int(disks((40, 40, 1), (80, 50, 1)).sum()))
    driver.press("Escape")
    assert proposed(driver) == 0 and driver.project.mask(0) is None


def test_enter_before_the_answer_accepts_it(driver: Driver) -> None:
    held: list[Any] = []
    driver.page.route("**/api/segment/click", lambda route: held.append(route))
    driver.press("k")
    driver.click(40.5, 40.5)
    driver.press("Enter")
    while not held:
        driver.page.wait_for_timeout(20)
    assert driver.project.mask(0) is None
    driver.press("ArrowRight")
    driver.ready(1)
    held[0].continue_()
    driver.page.unroute("**/api/segment/click")
    while not driver.project.objects:
        driver.page.wait_for_timeout(50)
    driver.saved()
    assert np.array_equal(driver.project.mask(0), disks((40, 40, 1)))
    assert driver.project.mask(1) is None and driver.page.locator("[data-frame='1']").count() == 1


def test_a_suggestion_for_a_frame_that_was_left_is_not_taken_unseen(driver: Driver) -> None:
    held: list[Any] = []
    driver.page.route("**/api/segment/click", lambda route: held.append(route))
    driver.press("k")
    driver.click(40.5, 40.5)
    while not held:
        driver.page.wait_for_timeout(20)
    driver.press("ArrowRight")
    driver.ready(1)
    held[0].continue_()
    driver.page.unroute("**/api/segment/click")
    driver.note("came after you had left it")
    driver.press("ArrowRight")
    driver.ready(2)
    assert proposed(driver) == 0 and driver.project.mask(0) is None


def test_the_page_says_which_model_makes_masks_of_clicks(driver: Driver) -> None:
    driver.press("k")
    driver.page.get_by_text("A model for tests makes disks.").wait_for()


def test_without_a_model_clicks_say_why_they_are_not_there(driver: Driver) -> None:
    change = (
        "clicks => import('/core/store.js').then(({get, set}) => set({server: {...get().server, "
        "segmenter: {...get().server.segmenter, clicks, note: 'no model'}}}))"
    )
    button = driver.page.get_by_role("button", name="Click", exact=True)
    driver.page.evaluate(change, False)
    assert button.is_disabled()
    assert "no model" in button.get_attribute("title")
    driver.page.evaluate(change, True)
    assert button.is_enabled()
