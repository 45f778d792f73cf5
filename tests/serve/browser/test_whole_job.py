"""The whole job on the page, and what may interrupt it: other tabs, a reload, a server that is killed."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from limpet.core.masks import decode_mask
from limpet.project import Project

from .page_driver import Driver
from .served import FRAMES, Server, make_clip

AXE = Path(__file__).parent / "vendor" / "axe.min.js"


def draw_an_object(driver: Driver) -> None:
    driver.drag((30, 40), (42, 42))
    driver.saved()


def wait_for_frame(driver: Driver, frame: int) -> None:
    """Until the propagation has committed this frame."""
    while driver.project.mask_bytes(frame) is None:
        driver.page.wait_for_timeout(100)


def test_from_a_video_to_downloaded_masks(browser: Any, tmp_path: Path) -> None:
    """Twelve inputs at most: path, open, a stroke, F, download, masks. The server begins with nothing open."""
    make_clip(tmp_path / "clip.mp4")
    server = Server(tmp_path)
    server.start()
    driver = Driver(
        browser.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True), server
    )
    page = driver.page
    page.goto(server.link)
    page.get_by_label("Path of a video").fill("clip.mp4")
    page.keyboard.press("Enter")
    driver.open(server.folder / "clip-project")
    assert "token" not in page.url, "the token is not left in the address bar"
    draw_an_object(driver)
    driver.press("f")
    driver.note("frames are propagated")
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Masks one").click()
    file = download.value.path()
    with zipfile.ZipFile(io.BytesIO(Path(file).read_bytes())) as archive:
        names = sorted(archive.namelist())
        masks = [archive.read(name) for name in names]
    assert len(names) == FRAMES
    assert masks == driver.masks(), "byte for byte what the project has"
    assert (decode_mask(masks[-1]) == 1).any()
    assert driver.errors == []
    page.context.close()
    server.stop()


def test_a_correction_holds_through_another_propagation(driver: Driver) -> None:
    draw_an_object(driver)
    driver.press("f")
    driver.note("frames are propagated")
    driver.go_to(10)
    driver.press("e")
    driver.drag((30, 40), (34, 41))
    driver.saved()
    before = driver.masks()
    driver.press("l")
    driver.note("Frame 10 is locked.")
    driver.press("d", "a")
    driver.note(f"{FRAMES - 2} frames are propagated")
    after = driver.masks()
    assert after[10] == before[10], "the corrected frame has its bytes"
    assert after[11:] != before[11:], "the others follow it"
    assert after[0] == before[0], "the first key frame, too"
    driver.press("Control+z")
    driver.note("undone: propagate")
    assert driver.masks() == before
    driver.press("Control+Shift+z")
    driver.note("redone: propagate")
    assert driver.masks() == after


def shows_the_mask(tab: Driver, mask: np.ndarray | None, otherwise: str) -> None:
    """Wait until a tab shows ``mask`` in frame 0."""
    drawn = "Promise.all([import('/core/edits.js')]).then(([edits]) => edits.shownIds(0)?.filter(Boolean).length ?? 0)"
    assert mask is not None
    for _ in range(100):
        if tab.page.evaluate(drawn) == np.count_nonzero(mask):
            break
        tab.page.wait_for_timeout(50)
    assert tab.page.evaluate(drawn) == np.count_nonzero(mask), otherwise


def test_a_person_who_goes_elsewhere_is_not_taken_along_with_a_propagation(driver: Driver) -> None:
    draw_an_object(driver)
    driver.press("f")
    wait_for_frame(driver, 3)
    field = driver.page.locator(".frame-number input")
    field.fill("1")
    wait_for_frame(driver, 6)
    assert field.input_value() == "1", "what is typed stays while frames go by"
    field.press("Enter")
    driver.ready(1)
    driver.note("frames are propagated")
    driver.ready(1)


def test_two_tabs_follow_each_other(driver: Driver, browser: Any, server: Server) -> None:
    other = Driver(browser.new_context(viewport={"width": 1280, "height": 720}), server)
    other.load()
    draw_an_object(driver)
    other.page.get_by_role("button", name="object 1", exact=True).wait_for()
    # While a tab reads a mask, it refuses strokes.
    shows_the_mask(other, driver.project.mask(0), "the other tab does not show what was drawn")
    other.press("1", "d")
    other.drag((100, 60), (110, 60))
    other.saved()
    driver.page.locator(".history .count:text-is('2')").wait_for()
    driver.press("Control+z")
    other.page.locator(".history .count:text-is('1')").wait_for()
    shows_the_mask(other, driver.project.mask(0), "the other tab shows what was undone")
    other.page.context.close()


def test_a_stroke_on_its_way_while_another_project_is_opened_reaches_its_own(
    driver: Driver, server: Server
) -> None:
    own = driver.folder
    draw_an_object(driver)
    before = driver.masks()

    def meanwhile(route: Any) -> None:
        server.new_project("meanwhile")
        route.continue_()

    driver.page.route("**/api/correct", meanwhile, times=1)
    driver.drag((100, 60), (110, 60))
    driver.open(server.folder / "meanwhile")
    assert driver.project.edits == () and driver.masks()[0] is None, (
        "nothing of the other project was changed"
    )
    assert Project.open(own).mask_bytes(0) == before[0]
    server.post("/api/open", {"path": own.name})
    driver.open(own)
    driver.note("1 stroke from before the reload")
    driver.saved()
    mask = driver.project.mask(0)
    assert mask is not None and mask[60, 105] == 1


def test_the_masks_before_the_last_edit_are_shown_beside_those_of_now(driver: Driver) -> None:
    draw_an_object(driver)
    first = driver.project.mask(0)
    driver.drag((100, 60), (110, 60))
    driver.saved()
    driver.press("m")
    earlier = "import('/core/masks.js').then(m => m.earlierIdsOf(0)?.filter(Boolean).length ?? -1)"
    for _ in range(200):
        if driver.page.evaluate(earlier) == np.count_nonzero(first):
            break
        driver.page.wait_for_timeout(50)
    assert driver.page.evaluate(earlier) == np.count_nonzero(first)
    button = driver.page.get_by_role("button", name="Compare with the masks before the last edit")
    assert button.get_attribute("aria-pressed") == "true"
    driver.press("m")
    assert button.get_attribute("aria-pressed") == "false"


def test_a_reload_in_the_middle_of_a_propagation(driver: Driver) -> None:
    draw_an_object(driver)
    driver.press("f")
    wait_for_frame(driver, 3)
    driver.reload()
    driver.page.get_by_role("progressbar").wait_for()
    driver.page.get_by_role("button", name="Cancel").click()
    driver.page.get_by_role("button", name="All that is empty or stale").wait_for()
    edits = driver.project.edits
    assert [edit.kind for edit in edits] == ["add", "propagate"]
    assert not edits[-1].complete
    masks = driver.masks()
    assert masks[3] is not None and masks[-1] is None, "what was done is kept, as one edit"
    driver.press("Control+z")
    driver.note("undone: propagate")
    assert driver.masks()[1:] == [None] * (FRAMES - 1)


def test_a_server_that_is_killed_loses_no_stroke(driver: Driver, server: Server) -> None:
    draw_an_object(driver)
    driver.press("f")
    wait_for_frame(driver, 2)
    server.stop(kill=True)
    driver.go_to(0)
    driver.drag((90, 60), (110, 60))
    driver.page.get_by_text("1 edit is kept here").wait_for()
    server.start(driver.folder.name)
    link = driver.page.context.new_page()  # what opening the printed link does
    link.goto(server.link)
    driver.saved()
    driver.page.locator(".saved:text-is('Saved')").wait_for()
    link.close()
    mask = driver.project.mask(0)
    assert mask is not None and mask[60, 100] == 1 and mask[41, 36] == 1
    assert driver.project.mask_bytes(2) is not None, "what was propagated until then is kept"
    driver.press("Control+z")
    driver.note("undone: correct")


def test_nothing_serious_stands_in_the_way_of_screen_readers(driver: Driver) -> None:
    draw_an_object(driver)
    driver.page.evaluate(AXE.read_text(encoding="utf-8"))
    assert serious(driver, "document") == []
    driver.press("?")
    assert serious(driver, "'dialog'") == [], "the help sheet"
    driver.press("Escape")
    driver.page.get_by_role("button", name="Download").click()
    assert serious(driver, "'dialog'") == [], "the downloads"
    driver.press("Escape")


def serious(driver: Driver, part: str) -> list[tuple[str, list[str]]]:
    """Rules that a part of the page breaks, with the elements that do."""
    rules = "{resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}"
    found = driver.page.evaluate(f"axe.run({part}, {rules})")["violations"]
    return [
        (each["id"], [node["html"][:120] for node in each["nodes"]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
