"""``report.png``: the filmstrip, and one bar per object with its confidence, area, losses and returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from limpet.results.filmstrip import Thumbnail
from limpet.results.video_report import ObjectReport, VideoReport, reduce_points

WIDTH = 1280
_MARGIN, _GAP, _LABEL = 24, 8, 150
_MAX_OBJECTS, _MAX_MOMENTS = 20, 3
HEIGHT, GAP, AXIS = 68, 14, 40
"""Pixels of a bar, between two bars, and of the axis with the key below them."""
_AREA = 18
"""Of a bar, the lower part, which shows the area; the rest shows the confidence."""
INK, SOFT, RULE, LANE, PAGE = "#eceef0", "#a0a7ae", "#32373c", "#23272b", "#17191c"
LOST, UNSURE, BACK = "#ff7a6b", "#e8ac4b", "#5cc490"


def draw_picture(report: VideoReport, thumbnails: Sequence[Thumbnail]) -> Image.Image:
    """Title, where to look first, at most 8 frames with overlay, and one bar per object (RGB).

    Only the first 20 objects are drawn; the number of the others stands in a line.
    """
    objects, moments = report.objects[:_MAX_OBJECTS], _moments(report)
    rows = _rows(thumbnails)
    head = 56 + 20 * len(moments)
    film = sum(_row_height(row) for row in rows)
    bars = len(objects) * (HEIGHT + GAP)
    left_out = len(report.objects) - len(objects)
    height = 2 * _MARGIN + head + film + bars + AXIS
    picture = Image.new("RGB", (WIDTH, height), PAGE)
    draw = ImageDraw.Draw(picture, "RGBA")  # colours with an alpha are blended in
    draw.text((_MARGIN, _MARGIN - 4), _title(report), INK, _font(22))
    draw.text((_MARGIN, _MARGIN + 24), _summary(report), SOFT, _font(14))
    for line, (text, colour) in enumerate(moments):
        draw.text((_MARGIN, _MARGIN + 46 + 20 * line), text, colour, _font(14))
    top = _MARGIN + head
    for row in rows:
        _draw_row(picture, draw, row, top)
        top += _row_height(row)
    axis = TimeAxis(_MARGIN + _LABEL, WIDTH - _MARGIN, report.first_frame, report.frames)
    for item in objects:
        _draw_bar(draw, item, report, axis, top)
        top += HEIGHT + GAP
    _draw_axis(draw, report, axis, top)
    if left_out:
        draw.text((_MARGIN, top - 2), f"{left_out} more objects\nin report.json", SOFT, _font(13))
    return picture


def _moments(report: VideoReport) -> list[tuple[str, str]]:
    """Lines that say where to look first, and their colours."""
    found = report.look_first
    lines = [(str(each), LOST if each.kind == "lost" else UNSURE) for each in found[:_MAX_MOMENTS]]
    more = len(found) - len(lines)
    return [*lines, (f"and {more} more in report.html", SOFT)] if more else lines


def _title(report: VideoReport) -> str:
    return f"{report.title}{'' if report.complete else ' - stopped early'}"


def _summary(report: VideoReport) -> str:
    height, width = report.size or (0, 0)
    model = f", {report.model}" if report.model else ""
    return f"{report.frames} frames, {width} x {height}{model}"


def _rows(thumbnails: Sequence[Thumbnail]) -> list[list[tuple[Thumbnail, Image.Image]]]:
    """Rows of four thumbnails, each with its picture at the size it is drawn."""
    fitted = [(thumbnail, _fitted(thumbnail.image())) for thumbnail in thumbnails]
    return [fitted[begin : begin + 4] for begin in range(0, len(fitted), 4)]


def _row_height(row: Sequence[tuple[Thumbnail, Image.Image]]) -> int:
    return max(image.height for _, image in row) + 26


def _fitted(image: Image.Image) -> Image.Image:
    side = (WIDTH - 2 * _MARGIN - 3 * _GAP) // 4
    scale = min(side / image.width, side / image.height)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _draw_row(
    picture: Image.Image, draw: ImageDraw.ImageDraw, row: Sequence[tuple[Thumbnail, Image.Image]], top: int
) -> None:
    step = (WIDTH - 2 * _MARGIN + _GAP) // 4
    for column, (thumbnail, image) in enumerate(row):
        left = _MARGIN + column * step
        picture.paste(image, (left, top))
        draw.text(
            (left, top + image.height + 4), f"{thumbnail.index} - {thumbnail.time:.2f} s", SOFT, _font(13)
        )


@dataclass(frozen=True)
class TimeAxis:
    """Pixels from ``left`` to ``right`` show ``frames`` frames, the first of which is ``start``."""

    left: float
    right: float
    start: int
    frames: int

    def x(self, frame: float) -> float:
        """Where a frame begins; its middle is at ``frame + 0.5``."""
        return self.left + (frame - self.start) / max(self.frames, 1) * (self.right - self.left)


def _draw_bar(
    draw: ImageDraw.ImageDraw, item: ObjectReport, report: VideoReport, axis: TimeAxis, top: float
) -> None:
    """One entry of ``report.objects``, with its name to the left of the bar."""
    middle, bottom = top + HEIGHT - _AREA, top + HEIGHT
    draw.rectangle((axis.left, top, axis.right, middle), LANE)
    for spans, colour in ((item.unsure, UNSURE), (item.lost, LOST)):
        for first, last in spans:
            draw.rectangle((axis.x(first), top, axis.x(last + 1), middle), colour + "70")
    _threshold(draw, report.lost_rule.confidence, axis, top)
    _confidence(draw, item, axis, top)
    _area(draw, item, axis, bottom)
    draw.line((axis.left, bottom, axis.right, bottom), fill=RULE)
    _events(draw, item, axis, top)
    _name(draw, item, top)


def _draw_axis(draw: ImageDraw.ImageDraw, report: VideoReport, axis: TimeAxis, top: float) -> None:
    """Round frame numbers with their times, and below them what is drawn."""
    times = report.times
    for frame in _ticks(report.first_frame, report.frames):
        x = axis.x(frame + 0.5)
        draw.line((x, top - GAP + 1, x, top - GAP + 6), fill=SOFT)
        text = f"{frame} · {times[frame - report.first_frame]:.1f} s"
        wide = draw.textlength(text, font=_font(13))
        draw.text((min(x - wide / 2, axis.right - wide), top - GAP + 8), text, SOFT, _font(13))
    x, y = axis.left, top + 16
    for colour, text in (
        (INK, f"{_calibrated(report)}, 0 to 1"),
        (UNSURE, "unsure"),
        (LOST, "lost"),
        (BACK, "back"),
        (SOFT, "below: area of the mask"),
    ):
        draw.rectangle((x, y + 4, x + 11, y + 11), colour)
        draw.text((x + 17, y), text, SOFT, _font(13))
        x += 17 + draw.textlength(text, font=_font(13)) + 22


def _ticks(start: int, frames: int, most: int = 8) -> list[int]:
    """Round frame numbers from ``start`` on, at most ``most + 1``."""
    if frames < 1:
        return []
    steps = (factor * 10**power for power in range(8) for factor in (1, 2, 5))
    step = next(step for step in steps if frames / step <= most)
    return list(range(-(-start // step) * step, start + frames, step))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font."""
    return ImageFont.load_default(size)


def _calibrated(report: VideoReport) -> str:
    if report.calibrated is None:
        return "confidence"
    return "calibrated confidence" if report.calibrated else "uncalibrated confidence"


def _area(draw: ImageDraw.ImageDraw, item: ObjectReport, axis: TimeAxis, bottom: float) -> None:
    largest = max(item.area, default=0) or 1
    points = reduce_points(item.area, max)
    outline = [
        (axis.x(item.first_frame + at + 0.5), bottom - (area or 0) / largest * (_AREA - 3))
        for at, area in points
    ]
    if outline:
        corners = [(outline[0][0], bottom), *outline, (outline[-1][0], bottom)]
        draw.polygon(corners, fill=item.colour)


def _confidence(draw: ImageDraw.ImageDraw, item: ObjectReport, axis: TimeAxis, top: float) -> None:
    """A line with gaps where it is unknown."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for at, value in reduce_points(item.confidence, min):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((axis.x(item.first_frame + at + 0.5), _y(value, top)))
    for piece in filter(None, pieces):
        draw.line(piece, fill=PAGE, width=5, joint="curve")
        draw.line(piece, fill=INK, width=2, joint="curve")


def _threshold(draw: ImageDraw.ImageDraw, value: float, axis: TimeAxis, top: float) -> None:
    y, x = _y(value, top), axis.left
    while x < axis.right:
        draw.line((x, y, min(x + 4, axis.right), y), fill=SOFT + "a0")
        x += 9


def _y(value: float, top: float) -> float:
    return top + HEIGHT - _AREA - 3 - value * (HEIGHT - _AREA - 6)


def _events(draw: ImageDraw.ImageDraw, item: ObjectReport, axis: TimeAxis, top: float) -> None:
    """A mark at each event; its frame beside it where there is room until the next one."""
    free = axis.left
    for event in item.events:
        x, lost = axis.x(event.frame), event.event == "lost"
        colour = LOST if lost else BACK
        draw.line((x, top, x, top + HEIGHT), fill=colour, width=2)
        text = f"{event.event} {event.frame}"
        wide = draw.textlength(text, font=_font(12))
        at = min(x + 4, axis.right - wide - 2)
        if at >= free:
            draw.rectangle((at - 2, top + 1, at + wide + 2, top + 16), PAGE + "b0")
            draw.text((at, top + 1), text, colour, _font(12))
            free = at + wide + 6


def _name(draw: ImageDraw.ImageDraw, item: ObjectReport, top: float) -> None:
    left = 24
    draw.rectangle((left, top + 8, left + 13, top + 21), item.colour)
    draw.text((left + 22, top + 5), f"Object {item.id}", INK, _font(15))
    lost, unsure = item.lost_frames, item.unsure_frames
    text = f"lost {lost} frames" if lost else "never lost"
    draw.text((left + 22, top + 25), text, LOST if lost else SOFT, _font(13))
    if unsure:
        draw.text((left + 22, top + 42), f"unsure {unsure} frames", UNSURE, _font(13))
