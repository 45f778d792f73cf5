"""``report.html``: one page that needs nothing but itself, in the reader's light or dark."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from limpet.results.filmstrip import Still
from limpet.results.moments import LOST, in_words
from limpet.results.timeline import object_timeline
from limpet.visual.style import STYLE

_MOST_NOTES = 50


def render_page(report: dict[str, Any], stills: Sequence[Still]) -> str:
    """The page for ``Report.as_dict()`` and the stills (frames with overlay); a whole HTML document."""
    title = str(report["source"] or "Tracked video")
    body = [
        f"<h1>{escape(title)}</h1>",
        _badge(report),
        _facts(report),
        _look_first(report),
        _notes("Frames that could not be read", report["failures"]),
        _notes("Notices", report["notices"]),
        _strip(stills),
        _objects(report),
        f"<footer>limpet {escape(report['limpet_version'])}; the same figures are in report.json</footer>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - limpet</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _badge(report: dict[str, Any]) -> str:
    if not report["complete"]:
        why = f": {report['stopped_by']}" if report["stopped_by"] else ""
        return f'<p class="badge bad">stopped early{escape(why)}</p>'
    lost = sum(1 for item in report["objects"] if item["lost"])
    if lost:
        return f'<p class="badge warn">complete; {lost} of {len(report["objects"])} objects lost at times</p>'
    return '<p class="badge good">complete; no object lost</p>'


def _facts(report: dict[str, Any]) -> str:
    height, width = report["size"] or (0, 0)
    facts = {
        "frames": f"{report['frames']}",
        "duration": f"{report['times'][-1]:.2f} s" if report["times"] else "-",
        "size": f"{width} x {height}",
        "objects": f"{len(report['objects'])}",
        "model": str(report["model"] or "-"),
    }
    if report["weights_sha256"]:
        facts["weights (sha256)"] = f"{report['weights_sha256'][:12]}…"
    if report["calibrated"] is not None:
        facts["confidence"] = "calibrated" if report["calibrated"] else "not calibrated"
    if report["undecoded_frames"]:
        facts["frames without a picture"] = str(len(report["undecoded_frames"]))
    return (
        "<dl>"
        + "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
        + "</dl>"
    )


def _look_first(report: dict[str, Any]) -> str:
    """The moments that a person should see, the worst first."""
    lines = "".join(
        f'<li><span class="{"bad" if each["kind"] == LOST else "warn"}">{escape(in_words(each))}</span> '
        f'<span class="why">{escape(each["why"])}, confidence {each["confidence"]:.2f} over '
        f"{each['last_frame'] - each['frame'] + 1} frames</span></li>"
        for each in report["look_first"]
    )
    return f'<h2>Where to look first</h2><ol class="look">{lines}</ol>' if lines else ""


def _notes(title: str, notes: Sequence[str]) -> str:
    if not notes:
        return ""
    rest = [f"… and {len(notes) - _MOST_NOTES} more in report.json"] if len(notes) > _MOST_NOTES else []
    return f'<h2>{title}</h2><ul class="notes">{_items([*notes[:_MOST_NOTES], *rest])}</ul>'


def _items(lines: Iterable[str]) -> str:
    return "".join(f"<li>{escape(line)}</li>" for line in lines)


def _strip(stills: Sequence[Still]) -> str:
    figures = "".join(
        f'<figure><img alt="Frame {still.index} with the objects marked" '
        f'src="data:image/jpeg;base64,{base64.b64encode(still.jpeg).decode("ascii")}">'
        f"<figcaption>frame {still.index}, {still.time:.2f} s</figcaption></figure>"
        for still in stills
    )
    return f'<h2>Frames</h2><div class="strip">{figures}</div>' if figures else ""


def _objects(report: dict[str, Any]) -> str:
    items = "".join(_object(item, report) for item in report["objects"])
    return f"<h2>Objects</h2>{_key(report)}{items}"


def _key(report: dict[str, Any]) -> str:
    threshold = report["lost_rule"]["confidence_below"]
    line = '<path d="M0 6H26" stroke="currentColor" stroke-width="2"'
    block = '<rect width="26" height="12"'
    samples = {
        "area, as a share of the largest": f'{block} fill="currentColor" fill-opacity=".35"/>',
        f"confidence ({report['confidence_means']}), 0 to 1": f"{line}/>",
        f"confidence {threshold:g}": f'{line} stroke-dasharray="3 3"/>',
        "unsure": f'{block} class="unsure"/>',
        "lost or out of sight": f'{block} class="lost"/>',
    }
    items = (
        f'<span><svg viewBox="0 0 26 12">{sample}</svg>{text}</span>' for text, sample in samples.items()
    )
    return f'<p class="key">{"".join(items)}</p>'


def _object(item: dict[str, Any], report: dict[str, Any]) -> str:
    shares = item["share"] or [0.0]
    known = [value for value in item["confidence"] if value is not None]
    mean = f"mean confidence {sum(known) / len(known):.2f}" if known else "confidence unknown"
    lost = sum(last - first + 1 for first, last in item["lost"])
    state = f"lost in {lost} of {len(item['area'])} frames" if lost else "never lost"
    return (
        f'<section class="object" style="--object:{item["colour"]}"><header>'
        f'<h3><i class="swatch"></i>Object {item["id"]}</h3>'
        f"<span>{min(shares):.2%} to {max(shares):.2%} of the picture</span><span>{mean}</span>"
        f'<span class="{"bad" if lost else ""}">{state}</span></header>'
        f"{object_timeline(item, report)}{_axis(report)}{_events(item['events'])}</section>"
    )


def _axis(report: dict[str, Any]) -> str:
    frames, start, times = report["frames"], report["first_frame"], report["times"]
    if not frames:
        return ""
    rows = sorted({round(part / 4 * (frames - 1)) for part in range(5)})
    marks = "".join(f"<span>{start + row} · {times[row]:.1f} s</span>" for row in rows)
    return f'<div class="axis">{marks}</div>'


def _events(events: Sequence[dict[str, Any]]) -> str:
    """One line for each loss, with its end."""
    lines: list[str] = []
    for event in events:
        moment = f"frame {event['frame']} ({event['seconds']:.2f} s)"
        if event["event"] == "lost":
            lines.append(f"lost at {moment}: {event['why']}")
        else:
            lines[-1] += f"; back at {moment}"
    return f'<ul class="events">{_items(lines)}</ul>' if lines else ""
