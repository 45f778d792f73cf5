"""What tests do on the page: with mouse and keyboard, as a person would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from limpet.project import Project

from .served import SIZE, Server

WAIT = 40_000
"""Milliseconds for anything that a test waits for, on a machine that does other work too."""


class Driver:
    """A tab.

    Attributes:
        errors: what the page reported to the console, and exceptions in it.
    """

    def __init__(self, context: Any, server: Server) -> None:
        self.server, self.folder = server, server.folder / "first"
        self.page = context.new_page()
        self.page.set_default_timeout(WAIT)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._console)

    def _console(self, message: Any) -> None:
        # Answers that are errors are the page's business, which tells the person; the browser reports them by itself.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.errors.append(message.text)

    def load(self) -> None:
        """Open the link and wait for the first frame."""
        self.page.goto(self.server.link)
        self.ready()

    def open(self, folder: Path) -> None:
        """Wait until the page shows this project, which the server has opened."""
        self.folder = folder
        self.page.locator(f".project-name:text-is('{folder.name}')").wait_for()
        self.ready()

    def reload(self) -> None:
        self.page.reload()
        self.ready()

    def ready(self, frame: int | None = None) -> None:
        """Wait until the frame in hand is shown with its masks."""
        which = "" if frame is None else f"[data-frame='{frame}']"
        self.page.locator(f".stage-canvas[data-ready=true]{which}").wait_for()

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the video (in its pixels) is on the screen, while the stage fits the frame."""
        box = self.page.locator(".stage-canvas").bounding_box()
        height, width = SIZE
        scale = min((box["width"] - 32) / width, (box["height"] - 32) / height)
        left = box["x"] + (box["width"] - width * scale) / 2
        top = box["y"] + (box["height"] - height * scale) / 2
        return left + x * scale, top + y * scale

    def drag(self, *points: tuple[float, float]) -> None:
        """One stroke through points of the video."""
        mouse = self.page.mouse
        mouse.move(*self.at(*points[0]))
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.at(*point), steps=4)
        mouse.up()

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.at(x, y))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> None:
        """Wait until the server has everything."""
        while self.page.evaluate("import('/core/store.js').then(store => store.get().saving)"):
            self.page.wait_for_timeout(30)
        self.page.locator(".saved:text-is('Saved')").wait_for()

    def note(self, text: str) -> None:
        """Wait for a note."""
        self.page.locator(".toast", has_text=text).first.wait_for()

    def go_to(self, frame: int) -> None:
        field = (
            self.page.get_by_label("Frame", exact=False)
            .locator("visible=true")
            .and_(self.page.locator("input[type=number]"))
        )
        field.fill(str(frame))
        field.press("Enter")
        self.ready(frame)

    @property
    def project(self) -> Project:
        """What is on the disk now."""
        return Project.open(self.folder)

    def masks(self) -> list[bytes | None]:
        """The bytes of every frame's mask."""
        project = self.project
        return [project.mask_bytes(frame) for frame in range(project.frame_count or 0)]
