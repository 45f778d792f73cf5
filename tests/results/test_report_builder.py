"""The report: right figures, valid JSON, and the same bytes for the same input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from limpet.results.report_builder import ReportBuilder
from limpet.results.report_page import render_page

from .reports import SIZE, as_json, example, mask_of


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
        (tmp_path / name / ".report.0123abcd.tmp.json").write_text("of a run that was killed")
        example(source="clip.mp4", calibrated=True).write(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
        assert not path.name.startswith(".")


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
