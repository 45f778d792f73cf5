"""``report.png``: the filmstrip and one bar per object, for where a page is too much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from limpet.visual.filmstrip import Still

WIDTH = 1280
_MARGIN, _GAP, _BAR, _LABEL = 24, 8, 44, 150
_PAGE, _INK, _SOFT, _RULE, _LOST = "#17191c", "#eceef0", "#a0a7ae", "#32373c", "#ff7a6b"
_MOST_OBJECTS = 20


def draw_picture(report: dict[str, Any], stills: Sequence[Still]) -> Image.Image:
    """The picture for ``Report.as_dict()``: title, at most 8 frames in rows of 4, one bar per object (RGB).

    A bar shows the area over time in the object's colour, the confidence as a light line, and red where the
    object was lost. Only the first 20 objects are drawn; the rest is counted in a line.
    """
    objects = report["objects"][:_MOST_OBJECTS]
    rows = _rows(stills)
    film = sum(_row_height(row) for row in rows)
    height = _MARGIN * 2 + 52 + film + len(objects) * (_BAR + _GAP) + 24
    picture = Image.new("RGB", (WIDTH, height), _PAGE)
    draw = ImageDraw.Draw(picture, "RGBA")  # colours with an alpha are blended in
    draw.text((_MARGIN, _MARGIN - 4), _title(report), _INK, _font(22))
    draw.text((_MARGIN, _MARGIN + 24), _summary(report), _SOFT, _font(14))
    top = _MARGIN + 52
    for row in rows:
        _draw_row(picture, draw, row, top)
        top += _row_height(row)
    for item in objects:
        _draw_object(draw, item, report, top)
        top += _BAR + _GAP
    left_out = len(report["objects"]) - len(objects)
    more = f"{left_out} more objects in report.json" if left_out else _axis(report)
    draw.text((_MARGIN + _LABEL, top), more, _SOFT, _font(13))
    return picture


def _title(report: dict[str, Any]) -> str:
    state = "" if report["complete"] else " - stopped early"
    return f"{report['source'] or 'Tracked video'}{state}"


def _summary(report: dict[str, Any]) -> str:
    height, width = report["size"] or (0, 0)
    model = f", {report['model']}" if report["model"] else ""
    return f"{report['frames']} frames, {width} x {height}{model}"


def _axis(report: dict[str, Any]) -> str:
    last = report["first_frame"] + max(report["frames"] - 1, 0)
    return f"frames {report['first_frame']} to {last}: area filled, confidence as a line, red where lost"


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
        draw.text((left, top + image.height + 4), f"{still.index} - {still.time:.2f} s", _SOFT, _font(13))


def _draw_object(draw: ImageDraw.ImageDraw, item: dict[str, Any], report: dict[str, Any], top: int) -> None:
    left, right, bottom = _MARGIN + _LABEL, WIDTH - _MARGIN, top + _BAR
    frames, start = max(report["frames"], 1), report["first_frame"]

    def x(row: float) -> float:
        return float(left + row / frames * (right - left))

    largest = max(item["area"], default=0) or 1
    offset = item["first_frame"] - start
    outline = [
        (x(row + offset + 0.5), bottom - area / largest * _BAR) for row, area in enumerate(item["area"])
    ]
    if outline:
        draw.polygon(
            [(outline[0][0], bottom), *outline, (outline[-1][0], bottom)], fill=item["colour"] + "a0"
        )
    for first, last in item["lost"]:
        draw.rectangle((x(first - start), top, x(last + 1 - start), bottom), _LOST + "60")
    line = [
        (x(row + offset + 0.5), bottom - 2 - value * (_BAR - 4))
        for row, value in enumerate(item["confidence"])
        if value is not None
    ]
    draw.line(line, fill=_PAGE, width=4)
    draw.line(line, fill=_INK, width=2)
    draw.line((left, bottom, right, bottom), fill=_RULE)
    draw.rectangle((_MARGIN, top + 15, _MARGIN + 13, top + 28), item["colour"])
    draw.text((_MARGIN + 22, top + 4), f"Object {item['id']}", _INK, _font(15))
    lost = sum(last - first + 1 for first, last in item["lost"])
    draw.text(
        (_MARGIN + 22, top + 23),
        f"lost {lost} frames" if lost else "never lost",
        _LOST if lost else _SOFT,
        _font(13),
    )


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
