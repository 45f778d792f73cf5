"""One server and one browser for all tests of the page; each test has its own project and its own tab.

They need Playwright and Debian's chromium (or the one at $LIMPET_CHROMIUM), and are skipped where one is missing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from .page_driver import Driver
from .served import Server, make_clip

CHROMIUM = os.environ.get("LIMPET_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="needs pip install 'limpet[browser]'")
    if CHROMIUM is None:
        pytest.skip("needs a browser: apt-get install chromium, or its path in LIMPET_CHROMIUM")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield started
        started.close()


@pytest.fixture(scope="package")
def server(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    make_clip(folder / "clip.mp4")
    server = Server(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="package")
def tab(browser: Any, server: Server) -> Iterator[Driver]:
    """A tab that is opened once, because that takes seconds."""
    server.new_project("first")
    driver = Driver(browser.new_context(viewport={"width": 1280, "height": 720}), server)
    driver.load()
    yield driver
    driver.page.context.close()


@pytest.fixture
def driver(tab: Driver, server: Server, request: pytest.FixtureRequest) -> Iterator[Driver]:
    """The tab with a new project of the clip; a test fails if the page met an error."""
    tab.open(server.new_project(request.node.name))
    yield tab
    errors, tab.errors = tab.errors, []
    assert errors == []
