"""``report.png``: the filmstrip and one bar per object, for where a page is too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from limpet.results.filmstrip import Still
from limpet.results.moments import in_words
from limpet.results.report_page import reduce_points

WIDTH = 1280
_MARGIN, _GAP, _LABEL = 24, 8, 150
_MOST_OBJECTS, _MOST_MOMENTS = 20, 3
HEIGHT, GAP, AXIS = 68, 14, 40
"""Pixels of a bar, between two bars, and of the axis with the key below them."""
_AREA = 18
"""Of a bar, the lower part, which shows the area; the rest shows the confidence."""
INK, SOFT, RULE, LANE, PAGE = "#eceef0", "#a0a7ae", "#32373c", "#23272b", "#17191c"
LOST, UNSURE, BACK = "#ff7a6b", "#e8ac4b", "#5cc490"


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


@dataclass(frozen=True)
class Place:
    """Where bars lie: pixels from ``left`` to ``right`` stand for ``frames`` rows, the first being frame ``start``."""

    left: float
    right: float
    start: int
    frames: int

    def x(self, frame: float) -> float:
        """Where a frame begins; its middle is at ``frame + 0.5``."""
        return self.left + (frame - self.start) / max(self.frames, 1) * (self.right - self.left)


def draw_bar(
    draw: ImageDraw.ImageDraw, item: dict[str, Any], report: dict[str, Any], place: Place, top: float
) -> None:
    """One entry of ``report["objects"]``, with its name to the left of the bar."""
    middle, bottom = top + HEIGHT - _AREA, top + HEIGHT
    draw.rectangle((place.left, top, place.right, middle), LANE)
    for kind, colour in (("unsure", UNSURE), ("lost", LOST)):
        for first, last in item[kind]:
            draw.rectangle((place.x(first), top, place.x(last + 1), middle), colour + "70")
    _threshold(draw, report["lost_rule"]["confidence_below"], place, top)
    _confidence(draw, item, place, top)
    _area(draw, item, place, bottom)
    draw.line((place.left, bottom, place.right, bottom), fill=RULE)
    _events(draw, item, place, top)
    _name(draw, item, top)


def draw_axis(draw: ImageDraw.ImageDraw, report: dict[str, Any], place: Place, top: float) -> None:
    """Round frame numbers with their times, and below them what is drawn."""
    times = report["times"]
    for frame in ticks(report["first_frame"], report["frames"]):
        x = place.x(frame + 0.5)
        draw.line((x, top - GAP + 1, x, top - GAP + 6), fill=SOFT)
        text = f"{frame} · {times[frame - report['first_frame']]:.1f} s"
        wide = draw.textlength(text, font=font(13))
        draw.text((min(x - wide / 2, place.right - wide), top - GAP + 8), text, SOFT, font(13))
    x, y = place.left, top + 16
    for colour, text in (
        (INK, f"{_calibrated(report)}, 0 to 1"),
        (UNSURE, "unsure"),
        (LOST, "lost"),
        (BACK, "back"),
        (SOFT, "below: area of the mask"),
    ):
        draw.rectangle((x, y + 4, x + 11, y + 11), colour)
        draw.text((x + 17, y), text, SOFT, font(13))
        x += 17 + draw.textlength(text, font=font(13)) + 22


def ticks(start: int, frames: int, most: int = 8) -> list[int]:
    """Round frame numbers from ``start`` on, at most ``most`` and one."""
    if frames < 1:
        return []
    steps = (factor * 10**power for power in range(8) for factor in (1, 2, 5))
    step = next(step for step in steps if frames / step <= most)
    return list(range(-(-start // step) * step, start + frames, step))


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own."""
    return ImageFont.load_default(size)


def _calibrated(report: dict[str, Any]) -> str:
    words = {True: "calibrated confidence", False: "uncalibrated confidence"}
    return words.get(report["calibrated"], "confidence")


def _area(draw: ImageDraw.ImageDraw, item: dict[str, Any], place: Place, bottom: float) -> None:
    largest = max(item["area"], default=0) or 1
    points = reduce_points(item["area"], max)
    outline = [
        (place.x(item["first_frame"] + at + 0.5), bottom - (area or 0) / largest * (_AREA - 3))
        for at, area in points
    ]
    if outline:
        corners = [(outline[0][0], bottom), *outline, (outline[-1][0], bottom)]
        draw.polygon(corners, fill=item["colour"])


def _confidence(draw: ImageDraw.ImageDraw, item: dict[str, Any], place: Place, top: float) -> None:
    """A line with gaps where it is unknown."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for at, value in reduce_points(item["confidence"], min):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((place.x(item["first_frame"] + at + 0.5), _y(value, top)))
    for piece in filter(None, pieces):
        draw.line(piece, fill=PAGE, width=5, joint="curve")
        draw.line(piece, fill=INK, width=2, joint="curve")


def _threshold(draw: ImageDraw.ImageDraw, value: float, place: Place, top: float) -> None:
    y, x = _y(value, top), place.left
    while x < place.right:
        draw.line((x, y, min(x + 4, place.right), y), fill=SOFT + "a0")
        x += 9


def _y(value: float, top: float) -> float:
    return top + HEIGHT - _AREA - 3 - value * (HEIGHT - _AREA - 6)


def _events(draw: ImageDraw.ImageDraw, item: dict[str, Any], place: Place, top: float) -> None:
    """A mark at each event; its frame beside it where there is room until the next one."""
    free = place.left
    for event in item["events"]:
        x, lost = place.x(event["frame"]), event["event"] == "lost"
        colour = LOST if lost else BACK
        draw.line((x, top, x, top + HEIGHT), fill=colour, width=2)
        text = f"{event['event']} {event['frame']}"
        wide = draw.textlength(text, font=font(12))
        at = min(x + 4, place.right - wide - 2)
        if at >= free:
            draw.rectangle((at - 2, top + 1, at + wide + 2, top + 16), PAGE + "b0")
            draw.text((at, top + 1), text, colour, font(12))
            free = at + wide + 6


def _name(draw: ImageDraw.ImageDraw, item: dict[str, Any], top: float) -> None:
    left = 24
    draw.rectangle((left, top + 8, left + 13, top + 21), item["colour"])
    draw.text((left + 22, top + 5), f"Object {item['id']}", INK, font(15))
    lost = sum(last - first + 1 for first, last in item["lost"])
    unsure = sum(last - first + 1 for first, last in item["unsure"])
    text = f"lost {lost} frames" if lost else "never lost"
    draw.text((left + 22, top + 25), text, LOST if lost else SOFT, font(13))
    if unsure:
        draw.text((left + 22, top + 42), f"unsure {unsure} frames", UNSURE, font(13))
