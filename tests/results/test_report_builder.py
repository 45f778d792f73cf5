"""The report: right figures, valid JSON, a page that needs nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from limpet.results.report_builder import ReportBuilder
from limpet.results.report_page import render_page
from limpet.results.report_picture import draw_picture
from limpet.video.video_reader import FailureKind, ReadFailure

SIZE = (20, 40)


def mask_of(*objects: tuple[int, int]) -> np.ndarray:
    """A mask in which each (id, area) takes the next ``area`` pixels."""
    mask = np.zeros(SIZE[0] * SIZE[1], np.uint8)
    begin = 0
    for number, area in objects:
        mask[begin : begin + area] = number
        begin += area
    return mask.reshape(SIZE)


def example(**info: Any) -> ReportBuilder:
    """Object 7 is lost in frames 2 to 5; object 200 enters at frame 3; frame 7 has no picture."""
    report = ReportBuilder(size=SIZE, frame_rate=Fraction(10), object_ids=(7,), info=info)
    for index in range(10):
        area = 0 if 2 <= index <= 5 else 100 + index
        objects = [(7, area), *([(200, 40)] if index >= 3 else [])]
        report.add(
            index,
            index / 10,
            mask_of(*objects),
            {7: 0.9, 200: 0.25 if index > 6 else 0.75},
            decoded=index != 7,
        )
        report.strip.add(index, index / 10, np.full((*SIZE, 3), 20 * index, np.uint8))
    report.complete = True
    return report


def as_json(report: ReportBuilder) -> dict[str, Any]:
    """What report.json holds."""
    return json.loads(report.build().to_json())  # type: ignore[no-any-return]


def test_figures() -> None:
    seven, later = as_json(example())["objects"]
    assert seven["area"] == [100, 101, 0, 0, 0, 0, 106, 107, 108, 109]
    assert seven["share"][0] == pytest.approx(100 / 800)
    assert seven["confidence"][6:8] == [0.9, None], "a repeated mask has no confidence of its own"
    assert seven["lost"] == [[2, 5]]
    assert seven["events"] == [
        {"event": "lost", "frame": 2, "seconds": 0.2, "why": "no area"},
        {"event": "back", "frame": 6, "seconds": 0.6, "why": None},
    ]
    assert (later["id"], later["first_frame"]) == (200, 0), "an object with a confidence is known"


def test_where_to_look_first_and_what_confidence_means() -> None:
    data, report = as_json(example(calibrated=True)), example(calibrated=True).build()
    assert data["calibrated"] is True and data["confidence_means"] == "expected IoU with the true mask"
    assert data["lost_rule"] == {
        "confidence_below": 0.4,
        "frames_in_a_row": 3,
        "back_from": 0.5,
        "unsure_below": 0.6,
    }
    # 200 has no area in frames 0 to 2, and a low confidence from frame 7 on, which is known from frame 8 on
    assert [(each["object"], each["frame"], each["back"]) for each in data["look_first"]] == [
        (7, 2, 6),
        (200, 0, 3),
    ]
    assert "calibrated" in render_page(report, []) and "not calibrated" not in render_page(report, [])
    assert "not calibrated" in render_page(example(calibrated=False).build(), [])
    assert as_json(example())["calibrated"] is None


def test_two_reports_of_the_same_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        example(source="clip.mp4", calibrated=True).write(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_picture_shows_losses_and_doubts() -> None:
    colours = []
    for value in (0.9, 0.5, 0.1):
        report = ReportBuilder(size=SIZE)
        for index in range(20):
            report.add(index, index / 10, mask_of((1, 50)), {1: value if 5 <= index < 15 else 0.9})
        picture = draw_picture(report.build(), [])
        bar = picture.crop((600, picture.height - 130, 800, picture.height - 90))
        colours.append(tuple(int(value) for value in np.asarray(bar).reshape(-1, 3).mean(axis=0)))
    steady, unsure, lost = colours
    assert min(unsure[0], lost[0]) > steady[0] + 30, "both stand out"
    assert lost[1] < unsure[1] - 10, "red and amber"


def test_an_object_enters_when_it_appears() -> None:
    report = ReportBuilder(size=SIZE)
    report.add(0, 0, mask_of((1, 5)), {})
    report.add(1, 0.1, mask_of((1, 5), (9, 6)), {})
    first, second = as_json(report)["objects"]
    assert (first["first_frame"], first["area"]) == (0, [5, 5])
    assert (second["id"], second["first_frame"], second["area"]) == (9, 1, [6])


def test_frames_are_counted_from_where_the_result_starts() -> None:
    report = ReportBuilder(size=SIZE)
    for index in range(30, 36):
        report.add(index, index / 10, mask_of((1, 5 if index < 32 else 0)), {})
    data = as_json(report)
    assert (data["first_frame"], data["frames"]) == (30, 6)
    assert data["objects"][0]["first_frame"] == 30 and data["objects"][0]["lost"] == [[32, 35]]
    assert [event["frame"] for event in data["objects"][0]["events"]] == [32]
    render_page(report.build(), [])


def test_a_frame_left_out_is_refused() -> None:
    report = ReportBuilder(size=SIZE)
    report.add(0, 0, mask_of((1, 5)), {})
    with pytest.raises(ValueError, match="expected frame 1, got 2; add every frame in order"):
        report.add(2, 0.2, mask_of((1, 5)), {})


def test_files(tmp_path: Path) -> None:
    report = example(source="clip.mp4", model="deaot-t", weights_sha256="ab" * 32, path=Path("x"))
    report.write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.html", "report.png"}
    data = json.loads((tmp_path / "report.json").read_text())
    assert (data["made_by"], data["schema_version"]) == ("limpet", 3)
    assert (data["model"], data["weights_sha256"], data["info"]) == ("deaot-t", "ab" * 32, {"path": "x"})
    assert data["size"] == [20, 40] and data["frame_rate"] == 10
    with Image.open(tmp_path / "report.png") as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}
    assert image.width == 1280 and len(colours) > 50


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


def test_page_is_whole_and_needs_nothing_else() -> None:
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


def test_badge_tells_how_it_ended() -> None:
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


def test_many_objects_in_the_picture_are_counted() -> None:
    report = ReportBuilder(size=SIZE)
    report.add(0, 0, mask_of(*((number, 3) for number in range(1, 41))), {})
    data = report.build()
    twenty = replace(data, objects=data.objects[:20])
    assert draw_picture(data, []).height == draw_picture(twenty, []).height
    assert draw_picture(data, []).tobytes() != draw_picture(twenty, []).tobytes(), (
        "the others must be counted"
    )


def test_nothing_but_zero_frames() -> None:
    report = ReportBuilder(size=SIZE, object_ids=(1,))
    data = report.build()
    Page().feed(render_page(data, []))
    assert draw_picture(data, []).width == 1280
