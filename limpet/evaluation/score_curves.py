"""A plot of J over time for the sequences with the lowest scores, drawn with Pillow.

It is drawn at three times its size and reduced, which smooths the lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from limpet.core.files import atomic_path
from limpet.evaluation.scores import Scores, summarise

Point = tuple[float, float]
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

SUPERSAMPLING = 3
WIDTH, HEIGHT = 960, 480
LEFT, TOP, RIGHT, BOTTOM = 72, 104, 32, 64
INK, FAINT, GRID = "#222222", "#6b6b6b", "#e4e4e4"
COLOURS = ("#c8421e", "#1f6fb4", "#3b8f4a", "#8a5bb5", "#b58a1f", "#4a4a4a")
"""Distinct for readers with the common colour vision deficiencies too; each line also has a dash pattern of its own."""
DASHES: tuple[tuple[int, int] | None, ...] = (None, (12, 5), (3, 4), (18, 8), (8, 8), (2, 7))


@dataclass(frozen=True)
class Curve:
    """A line: ``values`` in [0, 1], the first belongs to frame ``start``."""

    label: str
    values: tuple[float, ...]
    start: int = 1


def worst_curves(scores: Scores, count: int = 3) -> list[Curve]:
    """J over time of the `count` sequences with the lowest mean J, in ascending order; objects are averaged."""
    curves = []
    for name in scores.worst(count):
        objects = scores.by_sequence()[name]
        several = f", mean of {len(objects)} objects" if len(objects) > 1 else ""
        label = f"{name}{several} (J {100 * summarise(objects).j.mean:.1f})"
        curves.append(Curve(label, scores.region_by_frame(name)))
    return curves


def write_curves(curves: Sequence[Curve], path: Path, title: str) -> None:
    """Draw the curves as a PNG of 960x480.

    Raises:
        OutputError: when it cannot be written.
        ValueError: when there is no curve or there are more than six.
    """
    with atomic_path(path) as temporary:
        draw_curves(curves, title).save(temporary, format="PNG")


def draw_curves(curves: Sequence[Curve], title: str) -> Image.Image:
    """The plot as an image: J in per cent over the number of the frame."""
    if not 1 <= len(curves) <= len(COLOURS):
        raise ValueError(f"got {len(curves)} curves; expected 1 to {len(COLOURS)} in one plot")
    image = Image.new("RGB", (WIDTH * SUPERSAMPLING, HEIGHT * SUPERSAMPLING), "white")
    draw = ImageDraw.Draw(image)
    last = max(curve.start + len(curve.values) - 1 for curve in curves)
    _text(draw, (LEFT, 14), title, size=19)
    _axes(draw, last)
    _legend(draw, [curve.label for curve in curves])
    drawn = [
        [_place(curve.start + i, value, last) for i, value in enumerate(curve.values)] for curve in curves
    ]
    for points, colour, dash in reversed(list(zip(drawn, COLOURS, DASHES, strict=False))):
        _line(draw, points, colour, dash)
    for points, colour in zip(drawn, COLOURS, strict=False):
        _dot(draw, points[-1], colour)  # where the sequence ends
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def frame_ticks(last: int) -> list[int]:
    """Round frame numbers from 0 on, about eight of them."""
    steps = [factor * 10**power for power in range(7) for factor in (1, 2, 5)]
    step = next(step for step in steps if last / step <= 9)
    return list(range(0, last + 1, step))


def _axes(draw: ImageDraw.ImageDraw, last: int) -> None:
    for percent in range(0, 101, 20):
        (left, y), (right, _) = _place(0, percent / 100, last), _place(last, percent / 100, last)
        _line(draw, [(left, y), (right, y)], FAINT if percent == 0 else GRID, width=1.2)
        _text(draw, (left - 10, y), str(percent), anchor="rm", colour=FAINT)
    for number in frame_ticks(last):
        x, y = _place(number, 0, last)
        _line(draw, [(x, y), (x, y + 5)], FAINT, width=1.2)
        _text(draw, (x, y + 10), str(number), anchor="mt", colour=FAINT)
    _text(draw, ((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12), "frame", anchor="mb")
    _upright_text(draw, "J in %")


def _legend(draw: ImageDraw.ImageDraw, labels: list[str]) -> None:
    """Side by side above the axes, in rows when they are long."""
    x, y = float(LEFT), 56.0
    for label, colour, dash in zip(labels, COLOURS, DASHES, strict=False):
        wide = 42 + draw.textlength(label, font=_font(15)) / SUPERSAMPLING
        if x > LEFT and x + wide > WIDTH - RIGHT:
            x, y = LEFT, y + 20
        _line(draw, [(x, y), (x + 32, y)], colour, dash)
        _text(draw, (x + 40, y), label, anchor="lm")
        x += wide + 24


def _place(number: float, value: float, last: int) -> Point:
    """The point (x, y) of the plot for a frame's value (0 to 1)."""
    across, up = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    return LEFT + across * number / max(last, 1), TOP + up * (1 - value)


def _line(
    draw: ImageDraw.ImageDraw,
    points: list[Point],
    colour: str,
    dash: tuple[int, int] | None = None,
    width: float = 2.4,
) -> None:
    for piece in _dashes(points, dash) if dash else [points]:
        scaled = [(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in piece]
        draw.line(scaled, fill=colour, width=round(width * SUPERSAMPLING), joint="curve")


def _dot(draw: ImageDraw.ImageDraw, at: Point, colour: str, radius: float = 3.5) -> None:
    (x, y), r = at, radius
    draw.ellipse(
        ((x - r) * SUPERSAMPLING, (y - r) * SUPERSAMPLING, (x + r) * SUPERSAMPLING, (y + r) * SUPERSAMPLING),
        fill=colour,
    )


def _dashes(points: list[Point], dash: tuple[int, int]) -> list[list[Point]]:
    """Cut a line of points into drawn pieces of dash[0] pixels with gaps of dash[1]."""
    pieces: list[list[Point]] = [[points[0]]]
    drawing, left = True, float(dash[0])
    for (x0, y0), (x1, y1) in pairwise(points):
        length, done = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5, 0.0
        while length - done > left:
            done += left
            at = (x0 + (x1 - x0) * done / length, y0 + (y1 - y0) * done / length)
            if drawing:
                pieces[-1].append(at)
            else:
                pieces.append([at])
            drawing = not drawing
            left = float(dash[0] if drawing else dash[1])
        left -= length - done
        if drawing:
            pieces[-1].append((x1, y1))
    return pieces


def _font(size: int) -> Font:
    try:
        return ImageFont.load_default(size * SUPERSAMPLING)
    except TypeError:  # Pillow 10.0 has a single size
        return ImageFont.load_default()


def _text(
    draw: ImageDraw.ImageDraw, at: Point, text: str, *, anchor: str = "la", size: int = 15, colour: str = INK
) -> None:
    font = _font(size)
    if not isinstance(font, ImageFont.FreeTypeFont):  # a bitmap font has no anchors
        anchor = "la"
    draw.text((at[0] * SUPERSAMPLING, at[1] * SUPERSAMPLING), text, fill=colour, font=font, anchor=anchor)


def _upright_text(draw: ImageDraw.ImageDraw, text: str) -> None:
    """The label of the vertical axis, read from below."""
    font = _font(15)
    size = (round(draw.textlength(text, font=font)) + 4 * SUPERSAMPLING, 24 * SUPERSAMPLING)
    label = Image.new("L", size, 0)
    ImageDraw.Draw(label).text((2 * SUPERSAMPLING, 2 * SUPERSAMPLING), text, fill=255, font=font)
    label = label.rotate(90, expand=True)
    middle = (TOP + HEIGHT - BOTTOM) / 2 * SUPERSAMPLING
    draw.bitmap((14 * SUPERSAMPLING, round(middle - label.height / 2)), label, fill=INK)
