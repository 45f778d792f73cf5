"""``report.html``: one self-contained page, in the reader's light or dark mode."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from limpet.results.filmstrip import Thumbnail
from limpet.results.video_report import ObjectEvent, ObjectReport, VideoReport, reduce_points

WIDTH, HEIGHT = 1000, 120
"""Units of an object's timeline."""
_MAX_NOTES = 50


def render_page(report: VideoReport, thumbnails: Sequence[Thumbnail]) -> str:
    """A whole HTML document for a report and its thumbnails (frames with overlay)."""
    title = report.title
    body = [
        f"<h1>{escape(title)}</h1>",
        _badge(report),
        _facts(report),
        _look_first(report),
        _notes("Frames that could not be read", [str(failure) for failure in report.failures]),
        _notes("Notices", report.notices),
        _strip(thumbnails),
        _objects(report),
        f"<footer>limpet {escape(report.limpet_version)}; the same figures are in report.json</footer>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - limpet</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _badge(report: VideoReport) -> str:
    if not report.complete:
        why = f": {report.stopped_by}" if report.stopped_by else ""
        what = "not complete" if report.problems else "stopped early"
        return f'<p class="badge bad">{what}{escape(why)}</p>'
    lost = sum(1 for item in report.objects if item.lost)
    if lost:
        return f'<p class="badge warn">complete; {lost} of {len(report.objects)} objects lost at times</p>'
    return '<p class="badge good">complete; no object lost</p>'


def _facts(report: VideoReport) -> str:
    height, width = report.size or (0, 0)
    facts = {
        "frames": f"{report.frames}",
        "duration": f"{report.times[-1]:.2f} s" if report.times else "-",
        "size": f"{width} x {height}",
        "objects": f"{len(report.objects)}",
        "model": str(report.model or "-"),
    }
    if report.weights_sha256:
        facts["weights (sha256)"] = f"{report.weights_sha256[:12]}…"
    if report.calibrated is not None:
        facts["confidence"] = "calibrated" if report.calibrated else "not calibrated"
    if report.undecoded_frames:
        facts["frames without a picture"] = str(len(report.undecoded_frames))
    return (
        "<dl>"
        + "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
        + "</dl>"
    )


def _look_first(report: VideoReport) -> str:
    """The moments that a person should see, the worst first."""
    lines = "".join(
        f'<li><span class="{"bad" if each.kind == "lost" else "warn"}">{escape(str(each))}</span> '
        f'<span class="why">{escape(each.why)}, confidence {each.confidence:.2f} over '
        f"{each.last_frame - each.frame + 1} frames</span></li>"
        for each in report.look_first
    )
    return f'<h2>Where to look first</h2><ol class="look">{lines}</ol>' if lines else ""


def _notes(title: str, notes: Sequence[str]) -> str:
    if not notes:
        return ""
    rest = [f"… and {len(notes) - _MAX_NOTES} more in report.json"] if len(notes) > _MAX_NOTES else []
    return f'<h2>{title}</h2><ul class="notes">{_items([*notes[:_MAX_NOTES], *rest])}</ul>'


def _items(lines: Iterable[str]) -> str:
    return "".join(f"<li>{escape(line)}</li>" for line in lines)


def _strip(thumbnails: Sequence[Thumbnail]) -> str:
    figures = "".join(
        f'<figure><img alt="Frame {thumbnail.index} with the objects marked" '
        f'src="data:image/jpeg;base64,{base64.b64encode(thumbnail.jpeg).decode("ascii")}">'
        f"<figcaption>frame {thumbnail.index}, {thumbnail.time:.2f} s</figcaption></figure>"
        for thumbnail in thumbnails
    )
    return f'<h2>Frames</h2><div class="strip">{figures}</div>' if figures else ""


def _objects(report: VideoReport) -> str:
    items = "".join(_object(item, report) for item in report.objects)
    return f"<h2>Objects</h2>{_key(report)}{items}"


def _key(report: VideoReport) -> str:
    threshold = report.lost_rule.confidence
    line = '<path d="M0 6H26" stroke="currentColor" stroke-width="2"'
    block = '<rect width="26" height="12"'
    samples = {
        "area, as a share of the largest": f'{block} fill="currentColor" fill-opacity=".35"/>',
        f"confidence ({report.confidence_means}), 0 to 1": f"{line}/>",
        f"confidence {threshold:g}": f'{line} stroke-dasharray="3 3"/>',
        "unsure": f'{block} class="unsure"/>',
        "lost or out of sight": f'{block} class="lost"/>',
    }
    items = (
        f'<span><svg viewBox="0 0 26 12">{sample}</svg>{text}</span>' for text, sample in samples.items()
    )
    return f'<p class="key">{"".join(items)}</p>'


def _object(item: ObjectReport, report: VideoReport) -> str:
    shares = item.share or [0.0]
    known = [value for value in item.confidence if value is not None]
    mean = f"mean confidence {sum(known) / len(known):.2f}" if known else "confidence unknown"
    lost = item.lost_frames
    state = f"lost in {lost} of {len(item.area)} frames" if lost else "never lost"
    return (
        f'<section class="object" style="--object:{item.colour}"><header>'
        f'<h3><i class="swatch"></i>Object {item.id}</h3>'
        f"<span>{min(shares):.2%} to {max(shares):.2%} of the picture</span><span>{mean}</span>"
        f'<span class="{"bad" if lost else ""}">{state}</span></header>'
        f"{object_timeline(item, report)}{_axis(report)}{_events(item.events)}</section>"
    )


def _axis(report: VideoReport) -> str:
    frames, start, times = report.frames, report.first_frame, report.times
    if not frames:
        return ""
    rows = sorted({round(part / 4 * (frames - 1)) for part in range(5)})
    marks = "".join(f"<span>{start + row} · {times[row]:.1f} s</span>" for row in rows)
    return f'<div class="axis">{marks}</div>'


def _events(events: Sequence[ObjectEvent]) -> str:
    """One line for each loss, with its end."""
    lines: list[str] = []
    for event in events:
        moment = f"frame {event.frame} ({event.seconds:.2f} s)"
        if event.event == "lost":
            lines.append(f"lost at {moment}: {event.why}")
        else:
            lines[-1] += f"; back at {moment}"
    return f'<ul class="events">{_items(lines)}</ul>' if lines else ""


def object_timeline(item: ObjectReport, report: VideoReport) -> str:
    """One object as inline SVG: area filled, confidence as a line, lost and unsure stretches shaded.

    Horizontal: all frames of the result; vertical: area as a share of the object's largest area, confidence
    from 0 to 1. Colours come from CSS variables of the page and ``--object``.
    """
    frames, start = report.frames, report.first_frame
    offset = item.first_frame - start
    largest = max(item.area, default=0) or 1
    area = reduce_points([value / largest for value in item.area], max)
    confidence = reduce_points(item.confidence, min)
    lost = "".join(
        _shade(first - start, last - start, frames, kind)
        for kind, spans in (("unsure", item.unsure), ("lost", item.lost))
        for first, last in spans
    )
    absent = _shade(0, offset - 1, frames, "absent") if offset else ""
    threshold = _y(report.lost_rule.confidence)
    return (
        f'<svg class="timeline" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="Area and confidence of object {item.id} over {frames} frames">{absent}'
        f'<line class="grid" x1="0" x2="{WIDTH}" y1="{threshold}" y2="{threshold}"/>'
        f'<path class="area" d="{_area_path(area, offset, frames)}"/>{lost}'
        f'<path class="confidence" d="{_line_path(confidence, offset, frames)}"/></svg>'
    )


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


STYLE = """
:root { color-scheme: light dark; --page: #f7f7f5; --card: #ffffff; --ink: #1c1e21; --soft: #62676e;
  --rule: #e2e3e0; --lost: #c4392b; --good: #1f7a4d; --warn: #9a5b00; --accent: #0b6e75 }
@media (prefers-color-scheme: dark) { :root { --page: #131517; --card: #1c1f22; --ink: #eceef0;
  --soft: #a0a7ae;
  --rule: #32373c; --lost: #ff7a6b; --good: #5cc490; --warn: #e8ac4b; --accent: #58c4cc } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
  font-variant-numeric: tabular-nums }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere }
h2 { font-size: 1.05rem; margin: 36px 0 12px }
.badge { display: inline-block; margin: 10px 0 0; padding: 2px 10px; border-radius: 99px; font-size: .85rem;
  font-weight: 600; border: 1.5px solid currentColor }
.good { color: var(--good) } .warn { color: var(--warn) } .bad { color: var(--lost) }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 14px 24px;
  margin: 22px 0 0;
  padding: 18px 20px; background: var(--card); border: 1px solid var(--rule); border-radius: 12px }
dt { color: var(--soft); font-size: .8rem } dd { margin: 0; font-weight: 600; overflow-wrap: anywhere }
.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(210px, 46%), 1fr)); gap: 12px }
figure { margin: 0 } figure img { display: block; width: 100%; border-radius: 8px }
figcaption { color: var(--soft); font-size: .8rem; margin-top: 4px }
.object { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 14px 18px 10px;
  margin-bottom: 12px }
.object header { display: flex; flex-wrap: wrap; gap: 4px 18px; align-items: baseline }
.object h3 { margin: 0; font-size: 1rem } .object header span { color: var(--soft); font-size: .85rem }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 3px; background: var(--object);
  margin-right: 7px; outline: 1px solid rgb(128 128 128 / .5) }
.timeline { display: block; width: 100%; height: 110px; margin-top: 10px;
  border-bottom: 1px solid var(--rule) }
.timeline .area { fill: var(--object); fill-opacity: .4 }
.timeline .confidence { fill: none; stroke: var(--ink); stroke-width: 1.8;
  vector-effect: non-scaling-stroke;
  stroke-linejoin: round }
.timeline .lost, .key .lost { fill: var(--lost); fill-opacity: .28 }
.timeline .unsure, .key .unsure { fill: var(--warn); fill-opacity: .22 }
.timeline .absent { fill: var(--soft); fill-opacity: .12 }
.timeline .grid { stroke: var(--soft); stroke-opacity: .6; stroke-dasharray: 3 5;
  vector-effect: non-scaling-stroke }
.axis { display: flex; justify-content: space-between; color: var(--soft); font-size: .78rem;
  margin-top: 3px }
.look { margin: 0; padding: 12px 18px 12px 38px; background: var(--card); border: 1px solid var(--rule);
  border-radius: 12px }
.look .why { color: var(--soft) }
.events { margin: 8px 0 2px; padding: 0; list-style: none; font-size: .88rem }
.key { color: var(--soft); font-size: .82rem; margin: 0 0 12px; display: flex; flex-wrap: wrap;
  gap: 4px 20px }
.key svg { width: 26px; height: 12px; vertical-align: -1px; margin-right: 6px }
.notes li { overflow-wrap: anywhere } footer { color: var(--soft); font-size: .8rem; margin-top: 36px }
"""
