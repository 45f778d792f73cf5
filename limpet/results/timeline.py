"""One object's area and confidence over time as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT = 1000, 120
_MOST_POINTS = 500
"""More points than this do not show in 1000 units of width; longer videos are summed up in bins."""


def object_timeline(item: dict[str, Any], report: dict[str, Any]) -> str:
    """Draw one entry of ``report["objects"]``: area filled, confidence as a line, lost and unsure spans shaded.

    Horizontal: all frames of the result; vertical: area as a share of the object's largest area, confidence
    from 0 to 1. Colours come from CSS variables of the page and ``--object``.
    """
    frames, start = report["frames"], report["first_frame"]
    offset = item["first_frame"] - start
    largest = max(item["area"], default=0) or 1
    area = reduce_points([value / largest for value in item["area"]], max)
    confidence = reduce_points(item["confidence"], min)
    lost = "".join(
        _shade(first - start, last - start, frames, kind)
        for kind in ("unsure", "lost")
        for first, last in item[kind]
    )
    absent = _shade(0, offset - 1, frames, "absent") if offset else ""
    threshold = _y(report["lost_rule"]["confidence_below"])
    return (
        f'<svg class="timeline" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="Area and confidence of object {item["id"]} over {frames} frames">{absent}'
        f'<line class="grid" x1="0" x2="{WIDTH}" y1="{threshold}" y2="{threshold}"/>'
        f'<path class="area" d="{_area_path(area, offset, frames)}"/>{lost}'
        f'<path class="confidence" d="{_line_path(confidence, offset, frames)}"/></svg>'
    )


def reduce_points(values: Sequence[float | None], pick: Any) -> list[tuple[float, float | None]]:
    """(place, value) pairs, at most ``_MOST_POINTS``: of each bin the most telling value (min or max)."""
    step = max(1, math.ceil(len(values) / _MOST_POINTS))
    points: list[tuple[float, float | None]] = []
    for begin in range(0, len(values), step):
        known = [value for value in values[begin : begin + step] if value is not None]
        middle = begin + (min(step, len(values) - begin) - 1) / 2
        points.append((middle, pick(known) if known else None))
    return points


def _x(row: float, frames: int) -> float:
    """A frame is a column of its own; its point lies in the middle."""
    return round((row + 0.5) / max(frames, 1) * WIDTH, 2)


def _y(value: float) -> float:
    return round(HEIGHT - 4 - value * (HEIGHT - 8), 2)


def _shade(first: int, last: int, frames: int, kind: str) -> str:
    left, right = first / frames * WIDTH, (last + 1) / frames * WIDTH
    return f'<rect class="{kind}" x="{left:.2f}" width="{right - left:.2f}" y="0" height="{HEIGHT}"/>'


def _area_path(points: list[tuple[float, float | None]], offset: int, frames: int) -> str:
    if not points:
        return ""
    line = " ".join(f"L{_x(place + offset, frames)},{_y(value or 0)}" for place, value in points)
    left, right = _x(points[0][0] + offset, frames), _x(points[-1][0] + offset, frames)
    return f"M{left},{_y(0)} {line} L{right},{_y(0)} Z"


def _line_path(points: list[tuple[float, float | None]], offset: int, frames: int) -> str:
    """A line with gaps where the confidence is unknown."""
    parts, pen_up = [], True
    for place, value in points:
        if value is None:
            pen_up = True
            continue
        parts.append(f"{'M' if pen_up else 'L'}{_x(place + offset, frames)},{_y(value)}")
        pen_up = False
    return " ".join(parts)
