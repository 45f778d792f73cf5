"""Makes the pictures of the page of `limpet serve` for README.md and docs/web.md, from the demo clip.

    python scripts/make_web_pictures.py                # needs limpet[web,browser] and chromium; minutes on two cores

A browser does what a person would: a box around the cup, an outline of the astronaut, clicks on the cat, a
propagation. Nothing is painted over.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from limpet.demo.demo_clip import OBJECT_NAMES, demo_video, first_mask
from limpet.segment import Click, load_segmenter
from limpet.segment.clicks.guides import next_click
from limpet.video.open import open_video

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
SIZE = (1280, 720)
VIDEO = (512, 288)
STEP_WIDTH = 560
GOOD, MOST_CLICKS = 0.93, 6
"""The IoU at which a person stops clicking, and how often they click at most."""
LATE = 62
"""The frame of the last picture: the cat is behind the astronaut, the cup comes back."""


ANSWERED = """async () => {
    const {click} = await import("/tools/suggest.js");
    return click.asked > 0 && click.asked === click.answered;
}"""


class Page:
    """The page, driven in pixels of the video."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def at(self, x: float, y: float) -> tuple[float, float]:
        box = self.page.locator(".stage-canvas").bounding_box()
        scale = min((box["width"] - 32) / VIDEO[0], (box["height"] - 32) / VIDEO[1])
        left = box["x"] + (box["width"] - VIDEO[0] * scale) / 2
        return left + x * scale, box["y"] + (box["height"] - VIDEO[1] * scale) / 2 + y * scale

    def drag(self, *points: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point), steps=4)
        self.page.mouse.up()

    def new(self, name: str, tool: str) -> None:
        self.press("n")
        self.page.get_by_label("Name of the new object").fill(name)
        self.page.keyboard.press("Enter")
        self.press(tool)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> None:
        self.page.wait_for_timeout(500)
        self.page.locator(".saved:text-is('Saved')").wait_for()

    def go_to(self, frame: int) -> None:
        self.page.locator(".frame-number input").fill(str(frame))
        self.page.keyboard.press("Enter")
        self.page.locator(f".stage-canvas[data-ready=true][data-frame='{frame}']").wait_for()

    def picture(self) -> Image.Image:
        return Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")


def corners(object_id: int, tolerance: float = 1.2) -> list[tuple[int, int]]:
    """What a person would click around an object: the corners of its outline."""
    plane = (first_mask() == object_id).astype(np.uint8)
    outlines, _ = cv2.findContours(plane, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=cv2.contourArea)
    return [(int(x), int(y)) for x, y in cv2.approxPolyDP(outline, tolerance, closed=True)[:, 0]]


def clicks_on(object_id: int) -> list[Click]:
    """Where a person would click: in the middle of what is wrong, until the mask is good."""
    model, truth = load_segmenter(), first_mask() == object_id
    assert model is not None
    with open_video(demo_video()) as video:
        image = next(iter(video)).image
    found, clicks = np.zeros_like(truth), list[Click]()
    while len(clicks) < MOST_CLICKS and (found & truth).sum() < GOOD * (found | truth).sum():
        click = next_click(found, truth)
        assert click is not None
        clicks.append(click)
        found = model.segment(image, clicks) > 0
    return clicks


def pictures(page: Page) -> list[Image.Image]:
    """Clicking, propagating, the result."""
    cup = np.argwhere(first_mask() == 3)
    top, left, bottom, right = *(cup.min(axis=0) - 4), *(cup.max(axis=0) + 4)
    page.new("cup", "r")
    page.drag((left, top), (right, bottom))
    page.page.get_by_role("button", name="Accept").click()
    page.saved()
    page.new(OBJECT_NAMES[1], "p")
    for point in corners(1):
        page.page.mouse.click(*page.at(*point))
    page.press("Enter")
    page.saved()
    page.new(OBJECT_NAMES[2], "k")
    for click in clicks_on(2):
        place = page.at(click.x + 0.5, click.y + 0.5)
        page.page.mouse.click(*place, button="left" if click.positive else "right")
        while not page.page.evaluate(ANSWERED):
            page.page.wait_for_timeout(50)
        page.page.locator(".stage-status").wait_for(state="hidden")
    clicking = page.picture()
    page.press("Enter")
    page.saved()
    page.press("d", "f")
    page.page.locator(".stage-canvas[data-frame='30']").wait_for()
    page.page.wait_for_timeout(1500)
    running = page.picture()
    page.page.get_by_text("frames are propagated").wait_for()
    page.go_to(LATE)
    page.page.wait_for_timeout(5000)
    return [clicking, running, page.picture()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="The browser.")
    parser.add_argument("--out", type=Path, default=PICTURES)
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        shutil.copy(demo_video(), Path(scratch) / "clip.mp4")
        code = "import sys; from limpet.cli.main import main; sys.exit(main())"
        served = subprocess.Popen(
            [sys.executable, "-c", code, "serve", "clip.mp4", "--no-browser", "--port", "0"],
            cwd=scratch, text=True, stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert served.stdout is not None
        link = next(line for line in served.stdout if "#token=" in line).partition("serve: ")[2].strip()
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        page.set_default_timeout(1_800_000)
        page.goto(link)
        page.locator(".stage-canvas[data-ready=true]").wait_for()
        made = pictures(Page(page))
        browser.close()
        served.terminate()
        served.wait()
    made[-1].save(options.out / "web.webp", quality=82, method=6)
    height = round(STEP_WIDTH * SIZE[1] / SIZE[0])
    strip = Image.new("RGB", (len(made) * (STEP_WIDTH + 12) - 12, height), "white")
    for place, picture in enumerate(made):
        small = picture.resize((STEP_WIDTH, height), Image.Resampling.LANCZOS)
        strip.paste(small, (place * (STEP_WIDTH + 12), 0))
    strip.save(options.out / "web-steps.webp", quality=80, method=6)
    for name in ("web.webp", "web-steps.webp"):
        print(f"{options.out / name}: {(options.out / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
