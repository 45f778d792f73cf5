"""The plot of J over time."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from limpet.evaluation.score_curves import Curve, draw_curves, frame_ticks, worst_curves, write_curves
from limpet.evaluation.scores import Scores


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
    with pytest.raises(ValueError, match="got 0 curves; expected 1 to 6"):
        draw_curves([], "t")


@pytest.mark.parametrize(("last", "expected"), [(1, [0, 1]), (41, [0, 5, 10, 15, 20, 25, 30, 35, 40])])
def test_ticks_are_round(last: int, expected: list[int]) -> None:
    assert frame_ticks(last) == expected
    assert all(4 <= len(frame_ticks(count)) <= 10 for count in range(9, 3000, 7))
