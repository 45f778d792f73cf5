"""The page: complete, self-contained, and safe against names with markup."""

from __future__ import annotations

from html.parser import HTMLParser

from limpet.results.report_builder import ReportBuilder
from limpet.results.report_page import render_page
from limpet.video.video_reader import FailureKind, ReadFailure

from .reports import SIZE, example, mask_of


class Page(HTMLParser):
    """Checks that tags are closed in order and nothing is loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.images: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert tag not in ("script", "link", "iframe")
        if tag == "img":
            self.images.append(values["src"] or "")
        self.seen.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_complete_and_self_contained() -> None:
    report = example(source="clip.mp4", model="deaot-t")
    html = render_page(report.build(), report.strip.thumbnails())
    page = Page()
    page.feed(html)
    assert page.open == [] and page.seen.count("svg") == 2 + 5
    assert len(page.images) == 8 and all(
        source.startswith("data:image/jpeg;base64,") for source in page.images
    )
    assert "http" not in html and "url(" not in html
    assert "lost at frame 2 (0.20 s): no area; back at frame 6 (0.60 s)" in html
    assert "Where to look first" in html and "object 7 lost at 00:00.2 (frame 2), back at frame 6" in html
    assert "prefers-color-scheme: dark" in html


def test_names_are_escaped() -> None:
    report = example(source="<script>alert(1)</script>", model="<b>")
    report.failures = [ReadFailure(FailureKind.MORE, None, "<i>frame</i>")]
    html = render_page(report.build(), [])
    assert "<script>" not in html and "<b>" not in html and "<i>frame" not in html
    Page().feed(html)


def test_badge_shows_how_it_ended() -> None:
    report = example()
    assert "complete; 2 of 2 objects lost at times" in render_page(report.build(), [])
    report.complete, report.stopped_by = False, "interrupted"
    assert "stopped early: interrupted" in render_page(report.build(), [])


def test_a_long_video_stays_a_small_page() -> None:
    report = ReportBuilder(size=SIZE)
    mask = mask_of((1, 50))
    for index in range(4000):
        report.add(index, index / 25, mask, {1: 0.2 if index == 1234 else 0.9})
    html = render_page(report.build(), [])
    assert len(html) < 60_000
    assert "never lost" in html
    low = f",{120 - 4 - 0.2 * 112:.1f}"
    assert low in html, "the one bad frame must survive the summing up"


def test_a_page_of_no_frames() -> None:
    Page().feed(render_page(ReportBuilder(size=SIZE, object_ids=(1,)).build(), []))
