from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from limpet.core.errors import OutputError
from limpet.evaluation.score_curves import Curve, draw_curves, frame_ticks, worst_curves, write_curves
from limpet.evaluation.score_tables import Receipt, results_table, write_csv, write_json
from limpet.evaluation.scores import ObjectScores, Scores


@pytest.fixture
def scores() -> Scores:
    objects = (
        ObjectScores("bus", 1, (0.9, 0.8, 0.7, 0.6), (0.8, 0.7, 0.6, 0.5)),
        ObjectScores("cows", 1, (0.2, 0.2, 0.2, 0.2), (0.1, 0.1, 0.1, 0.1)),
        ObjectScores("cows", 200, (0.4, 0.4, 0.4, 0.4), (0.3, 0.3, 0.3, 0.3)),
        ObjectScores("duck", 255, (1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0)),
        ObjectScores("elk", 1, (0.5, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5)),
    )
    names = ("00001", "00002", "00003", "00004")
    return Scores(objects, dict.fromkeys(("bus", "cows", "duck", "elk"), names), 2.0, 20, ("cows: a note",))


def test_means_are_over_objects(scores: Scores) -> None:
    assert scores.j_mean == pytest.approx((0.75 + 0.2 + 0.4 + 1 + 0.5) / 5)
    assert scores.summary.j.recall == pytest.approx((1 + 0 + 0 + 1 + 0) / 5)
    assert scores.summary.j.decay == pytest.approx(0.2 / 5)  # the quarters of four frames are two frames each
    assert scores.frames_per_second == 10
    assert scores.worst() == ("cows", "elk", "bus")
    assert scores.region_by_frame("cows") == pytest.approx((0.3,) * 4)


def test_the_screen_shows_sequences_objects_and_the_mean(scores: Scores) -> None:
    console = Console(width=80, file=StringIO())
    with console.capture() as printed:
        console.print(results_table(scores, "val"))
    lines = [line.split() for line in printed.get().splitlines()]
    assert ["bus", "1", "4", "70.0", "75.0", "100.0", "20.0", "65.0", "75.0", "20.0"] in lines
    assert ["cows", "all", "2", "4", "25.0", "30.0", "0.0", "0.0", "20.0", "0.0", "0.0"] in lines
    assert ["200", "35.0", "40.0", "0.0", "0.0", "30.0", "0.0", "0.0"] in lines
    assert ["mean", "all", "5", "16", "54.0", "57.0", "40.0", "4.0", "51.0", "35.0", "4.0"] in lines


def test_csv(scores: Scores, tmp_path: Path) -> None:
    sequences, objects = write_csv(scores, tmp_path)
    rows = list(csv.DictReader(sequences.open()))
    assert [row["sequence"] for row in rows] == ["bus", "cows", "duck", "elk", "mean"]
    assert (rows[1]["objects"], rows[1]["J mean"], rows[1]["J&F"]) == ("2", "30.0000", "25.0000")
    rows = list(csv.DictReader(objects.open()))
    assert [(row["sequence"], row["object"]) for row in rows[1:4]] == [
        ("cows", "1"),
        ("cows", "200"),
        ("duck", "255"),
    ]
    assert rows[-1]["sequence"] == "mean" and float(rows[-1]["J mean"]) == pytest.approx(57)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["per_object.csv", "per_sequence.csv"]


def test_json_holds_the_receipt_and_every_frame(scores: Scores, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_json(
        scores, path, Receipt("limpet eval davis x --split val", "val", "deaot-t", "ab12", "cpu", 10.0)
    )
    found = json.loads(path.read_text())
    receipt = found["receipt"]
    assert receipt["command"] == "limpet eval davis x --split val"
    assert (receipt["model"], receipt["weights"]) == ("deaot-t", "ab12")
    assert receipt["version"] and receipt["machine"] and receipt["date"].endswith("+00:00")
    assert found["mean"]["J"]["mean"] == scores.j_mean and found["mean"]["J&F"] == scores.j_and_f
    cows = found["sequences"]["cows"]
    assert cows["frames"] == ["00001", "00002", "00003", "00004"]
    assert cows["objects"]["200"]["J_by_frame"] == [0.4] * 4
    assert found["notes"] == ["cows: a note"]


def test_unwritable_places_are_told(scores: Scores, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*gone.*per_sequence\.csv"):
        write_csv(scores, tmp_path / "gone")
    with pytest.raises(OutputError, match=r"scores\.json"):
        write_json(scores, tmp_path / "gone" / "scores.json", Receipt("c", "d"))


def test_the_picture_shows_each_curve_where_it_belongs(tmp_path: Path) -> None:
    curves = [Curve("low", (0.0,) * 21), Curve("high", (1.0,) * 21)]
    write_curves(curves, tmp_path / "worst.png", "title")
    with Image.open(tmp_path / "worst.png") as image:
        assert image.size == (960, 480)
        red, blue = (200, 66, 30), (31, 111, 180)
        found = {colour: rows_of(image, colour) for colour in (red, blue)}
    assert min(found[blue]) < 110 < 400 < max(found[red])  # 100 % is at row 104, 0 % at row 416
    assert max(found[blue]) < 120 and min(found[red]) > 400


def rows_of(image: Image.Image, colour: tuple[int, int, int]) -> list[int]:
    """Rows below the legend in which a colour appears."""
    pixels = image.load()
    assert pixels is not None
    return [y for y in range(80, image.height) if any(pixels[x, y] == colour for x in range(image.width))]


def test_worst_curves(scores: Scores) -> None:
    curves = worst_curves(scores)
    assert [curve.label for curve in curves] == [
        "cows, mean of 2 objects (J 30.0)",
        "elk (J 50.0)",
        "bus (J 75.0)",
    ]
    assert curves[2].values == (0.9, 0.8, 0.7, 0.6) and curves[2].start == 1


def test_pictures_of_odd_numbers_of_frames() -> None:
    assert draw_curves([Curve("one frame", (0.5,))], "t").size == (960, 480)
    with pytest.raises(ValueError, match="1 to 6 curves; got 0"):
        draw_curves([], "t")


@pytest.mark.parametrize(("last", "expected"), [(1, [0, 1]), (41, [0, 5, 10, 15, 20, 25, 30, 35, 40])])
def test_ticks_are_round(last: int, expected: list[int]) -> None:
    assert frame_ticks(last) == expected
    assert all(4 <= len(frame_ticks(count)) <= 10 for count in range(9, 3000, 7))
