"""``report.png``: the filmstrip and one bar per object, for where a page is too much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw

from limpet.results.filmstrip import Still
from limpet.results.moments import in_words
from limpet.visual.bars import (
    AXIS,
    GAP,
    HEIGHT,
    INK,
    LOST,
    PAGE,
    SOFT,
    UNSURE,
    Place,
    draw_axis,
    draw_bar,
    font,
)

WIDTH = 1280
_MARGIN, _GAP, _LABEL = 24, 8, 150
_MOST_OBJECTS, _MOST_MOMENTS = 20, 3


def draw_picture(report: dict[str, Any], stills: Sequence[Still]) -> Image.Image:
    """The picture for ``Report.as_dict()``: title, where to look first, at most 8 frames, one bar per object (RGB).

    Only the first 20 objects are drawn; the rest is counted in a line.
    """
    objects, moments = report["objects"][:_MOST_OBJECTS], _moments(report)
    rows = _rows(stills)
    head = 56 + 20 * len(moments)
    film = sum(_row_height(row) for row in rows)
    bars = len(objects) * (HEIGHT + GAP)
    left_out = len(report["objects"]) - len(objects)
    height = 2 * _MARGIN + head + film + bars + AXIS
    picture = Image.new("RGB", (WIDTH, height), PAGE)
    draw = ImageDraw.Draw(picture, "RGBA")  # colours with an alpha are blended in
    draw.text((_MARGIN, _MARGIN - 4), _title(report), INK, font(22))
    draw.text((_MARGIN, _MARGIN + 24), _summary(report), SOFT, font(14))
    for line, (text, colour) in enumerate(moments):
        draw.text((_MARGIN, _MARGIN + 46 + 20 * line), text, colour, font(14))
    top = _MARGIN + head
    for row in rows:
        _draw_row(picture, draw, row, top)
        top += _row_height(row)
    place = Place(_MARGIN + _LABEL, WIDTH - _MARGIN, report["first_frame"], report["frames"])
    for item in objects:
        draw_bar(draw, item, report, place, top)
        top += HEIGHT + GAP
    draw_axis(draw, report, place, top)
    if left_out:
        draw.text((_MARGIN, top - 2), f"{left_out} more objects\nin report.json", SOFT, font(13))
    return picture


def _moments(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Lines that say where to look first, and their colours."""
    found = report["look_first"]
    lines = [(in_words(each), LOST if each["kind"] == "lost" else UNSURE) for each in found[:_MOST_MOMENTS]]
    more = len(found) - len(lines)
    return [*lines, (f"and {more} more in report.html", SOFT)] if more else lines


def _title(report: dict[str, Any]) -> str:
    state = "" if report["complete"] else " - stopped early"
    return f"{report['source'] or 'Tracked video'}{state}"


def _summary(report: dict[str, Any]) -> str:
    height, width = report["size"] or (0, 0)
    model = f", {report['model']}" if report["model"] else ""
    return f"{report['frames']} frames, {width} x {height}{model}"


def _rows(stills: Sequence[Still]) -> list[list[tuple[Still, Image.Image]]]:
    """Stills in rows of four, each with its picture at the size it is drawn."""
    fitted = [(still, _fitted(still.image())) for still in stills]
    return [fitted[begin : begin + 4] for begin in range(0, len(fitted), 4)]


def _row_height(row: Sequence[tuple[Still, Image.Image]]) -> int:
    return max(image.height for _, image in row) + 26


def _fitted(image: Image.Image) -> Image.Image:
    side = (WIDTH - 2 * _MARGIN - 3 * _GAP) // 4
    scale = min(side / image.width, side / image.height)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _draw_row(
    picture: Image.Image, draw: ImageDraw.ImageDraw, row: Sequence[tuple[Still, Image.Image]], top: int
) -> None:
    step = (WIDTH - 2 * _MARGIN + _GAP) // 4
    for place, (still, image) in enumerate(row):
        left = _MARGIN + place * step
        picture.paste(image, (left, top))
        draw.text((left, top + image.height + 4), f"{still.index} - {still.time:.2f} s", SOFT, font(13))
