"""Drawing: each tool gives exactly the pixels that it shows, as one edit that undo takes back byte for byte."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from limpet.core.masks import decode_mask, encode_mask

from .page_driver import Driver
from .served import SIZE


def test_a_stroke_is_one_edit_and_undo_brings_the_bytes_back(driver: Driver) -> None:
    driver.drag((30, 40), (50, 45), (40, 60))
    driver.saved()
    first = driver.masks()
    assert first[0] is not None
    drawn = decode_mask(first[0])
    assert set(np.unique(drawn)) == {0, 1}
    assert drawn[40, 30] == drawn[45, 50] == drawn[60, 40] == 1, "the stroke went through these pixels"
    driver.drag((80, 20), (90, 20))
    driver.saved()
    second = driver.masks()
    assert second != first
    assert [edit.kind for edit in driver.project.edits] == ["add", "correct"]
    driver.press("Control+z")
    driver.note("undone")
    assert driver.masks() == first
    driver.press("Control+Shift+z")
    driver.note("redone")
    assert driver.masks() == second


def test_eraser_protection_and_a_second_object(driver: Driver) -> None:
    driver.drag((40, 50), (60, 50))
    driver.saved()
    page = driver.page
    page.get_by_role("button", name="Protect object 1 from drawing").click()
    driver.press("n")
    driver.drag((50, 30), (50, 70))
    driver.saved()
    mask = driver.project.mask(0)
    assert mask is not None
    assert mask[50, 50] == 1, "object 1 is protected"
    assert mask[35, 50] == mask[65, 50] == 2
    driver.press("1", "e")
    driver.drag((40, 50), (40, 50))
    driver.saved()
    after = driver.project.mask(0)
    assert after is not None
    assert after[50, 40] == 0 and after[50, 55] == 1
    assert np.array_equal(after == 2, mask == 2), "an eraser takes from the object in hand alone"


def test_polygon_and_fill(driver: Driver) -> None:
    driver.press("p")
    for corner in ((20, 20), (60, 20), (60, 60), (20, 60)):
        driver.click(*corner)
    driver.press("Enter")
    driver.saved()
    expected = np.zeros(SIZE, np.uint8)
    expected[20:60, 20:60] = 1
    mask = driver.project.mask(0)
    assert mask is not None and (mask != expected).sum() <= 2 * 160, (
        "at most its edge, which mouse positions round"
    )
    driver.press("n", "d")
    driver.drag((100, 20), (130, 20), (130, 50), (100, 50), (100, 20))
    driver.press("g")
    driver.click(115, 35)
    driver.saved()
    mask = driver.project.mask(0)
    assert mask is not None
    assert (mask[20:50, 100:130] == 2).all(), "the inside of the outline"
    assert len(driver.project.edits) == 3


def test_drawing_with_the_keyboard_alone(driver: Driver) -> None:
    driver.press("Alt+Enter", *["Alt+Shift+ArrowRight"] * 3, "Alt+Enter")
    driver.saved()
    mask = driver.project.mask(0)
    assert mask is not None
    height, width = SIZE
    assert (mask[height // 2, width // 2 : width // 2 + 30] == 1).all()


def test_a_mask_can_be_dropped(driver: Driver) -> None:
    given = np.zeros(SIZE, np.uint8)
    given[10:30, 40:70], given[50:60, 5:25] = 1, 2
    data = base64.b64encode(encode_mask(given)).decode()
    driver.page.evaluate(
        """data => {
            const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
            const files = new DataTransfer();
            files.items.add(new File([bytes], "masks.png", {type: "image/png"}));
            const canvas = document.querySelector(".stage-canvas");
            canvas.dispatchEvent(new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true}));
        }""",
        data,
    )
    driver.note("2 objects in frame 0")
    driver.saved()
    assert np.array_equal(driver.project.mask(0), given)


def test_locked_frames_refuse_and_say_what_to_do(driver: Driver) -> None:
    driver.drag((30, 40), (50, 45))
    driver.saved()
    driver.press("l")
    driver.note("Frame 0 is locked.")
    before = driver.masks()
    driver.drag((90, 40), (100, 45))
    driver.note("Press U to unlock it")
    assert driver.masks() == before
    driver.press("u")
    driver.note("Frame 0 is unlocked.")


def test_a_stroke_while_masks_are_read_is_drawn_when_they_are_here(driver: Driver) -> None:
    driver.drag((30, 40), (50, 45))
    driver.saved()
    other = driver.project.mask(0)
    assert other is not None
    other[70:80, 100:110] = 1
    held: list[Any] = []
    driver.page.route("**/mask/*.png", lambda route: held.append(route))
    driver.project.correct(0, other)  # by another program
    while not held:
        driver.page.wait_for_timeout(20)
    driver.drag((30, 20), (60, 20))
    assert len(driver.project.edits) == 2
    for each in held:
        each.continue_()
    driver.page.unroute("**/mask/*.png")
    while len(driver.project.edits) < 3:
        driver.page.wait_for_timeout(50)
    driver.saved()
    mask = driver.project.mask(0)
    assert mask is not None
    drawn = {"begin": mask[20, 30], "end": mask[20, 60], "first stroke": mask[40, 30], "other": mask[75, 105]}
    assert set(drawn.values()) == {1}, drawn


def test_a_stroke_takes_back_nothing_that_another_program_did_meanwhile(driver: Driver) -> None:
    driver.drag((30, 40), (50, 45))
    driver.saved()
    other = driver.project.mask(0)
    assert other is not None
    other[70:80, 100:110], other[40, 30] = 1, 0
    held: list[Any] = []
    driver.page.route("**/api/masks?*", lambda route: held.append(route))  # the page does not learn of it
    driver.project.correct(0, other)
    driver.drag((30, 20), (60, 20))
    while len(driver.project.edits) < 3:
        driver.page.wait_for_timeout(50)
    for each in held:
        each.continue_()
    driver.page.unroute("**/api/masks?*")
    driver.saved()
    mask = driver.project.mask(0)
    assert mask is not None
    drawn = {"begin": mask[20, 30], "end": mask[20, 60], "other": mask[75, 105], "first stroke": mask[44, 50]}
    assert set(drawn.values()) == {1}, drawn
    assert mask[40, 30] == 0, "taken away by the other program"


def test_pngs_are_read_and_written_exactly(driver: Driver) -> None:
    """The page's own reader and writer against Pillow's."""
    for kind in ("P", "L", "1"):
        _check_png(driver, kind)


def _check_png(driver: Driver, kind: str) -> None:
    ids = np.random.default_rng(3).integers(0, 2 if kind == "1" else 256, (37, 53), dtype=np.uint8)
    if kind == "P":
        data = encode_mask(ids)
    else:
        image = Image.fromarray(ids * 255 if kind == "1" else ids)
        file = io.BytesIO()
        (image.convert("1") if kind == "1" else image).save(file, "PNG")
        data = file.getvalue()
    read, written = driver.page.evaluate(
        """async data => {
            const png = await import("/core/png.js");
            const {width, height, ids} = await png.decodePng(png.fromBase64(data));
            return [[width, height, png.toBase64(ids)], png.toBase64(await png.encodePng(ids, width, height))];
        }""",
        base64.b64encode(data).decode(),
    )
    assert read[:2] == [53, 37]
    assert base64.b64decode(read[2]) == ids.tobytes()
    with Image.open(io.BytesIO(base64.b64decode(written))) as image:
        assert image.mode == "P"
        assert np.array_equal(np.array(image), ids)
