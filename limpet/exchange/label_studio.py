"""Label Studio's regions of videos: boxes (``videorectangle``) or outlines (``videovector``), which are no masks.

Places are in per cent of the frame, and frames are counted from 1. A region lasts until a frame that is not "enabled".
An outline is one ring, so that an object of several parts has several regions, the largest part first.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from limpet.core.errors import MaskError
from limpet.core.files import atomic_path
from limpet.core.limits import limits
from limpet.exchange.coco_rle import bounding_box, counts_to_mask, label_counts
from limpet.exchange.frame_times import FrameTimes
from limpet.exchange.label_painter import LabelPainter
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence, positive_rate, time_of
from limpet.exchange.object_ids import ids_of, label_of, name_of
from limpet.exchange.options import ConversionOptions
from limpet.exchange.polygons import Ring, fill_polygons, outlines, rings_of
from limpet.exchange.segmentation import own_facts
from limpet.exchange.spool import MaskSpool
from limpet.exchange.untrusted import check_counts, check_frame_size, read_json, whole_number

BOX, VECTOR = "videorectangle", "videovector"
_PARTS = 64
"""Parts of an object that get a region each."""
_REGION = re.compile(r"object-([1-9][0-9]{0,4})(-[0-9]+)?")


def write(sequence: MaskSequence, out: Path, options: ConversionOptions) -> None:
    """Write a task with an annotation; ``options.variant`` is the type of its regions. Raises OutputError."""
    boxes = options.variant == BOX
    height = sequence.size[0]
    times = FrameTimes(sequence)
    holes = parts = 0
    with MaskSpool("object") as spool, atomic_path(out) as temporary:
        for frame in sequence:
            times.add(frame)
            for number, counts in label_counts(frame.labels).items():
                if boxes:
                    left, top, across, down = bounding_box(counts, height)
                    spool.put(number * _PARTS, frame.index, json.dumps([left, top, across, down]))
                    continue
                rings, holed = outlines(counts_to_mask(counts, sequence.size))
                rings.sort(key=_area, reverse=True)
                holes += holed > 0
                parts += max(0, len(rings) - _PARTS)
                for part, ring in enumerate(rings[:_PARTS]):
                    spool.put(number * _PARTS + part, frame.index, json.dumps(ring.ravel().tolist()))
        with temporary.open("w", encoding="utf-8") as file:
            _write_task(file, sequence, times.finish(), spool, boxes)
    if boxes:
        sequence.note(
            "Label Studio has no masks of videos: each became its box, whose whole area comes back as mask"
        )
    if holes:
        sequence.note(f"outlines have no holes: those of {holes} masks were filled")
    if parts:
        sequence.note(f"an object can have {_PARTS} parts in a frame: {parts} smaller ones were left out")


def _write_task(
    file: IO[str], sequence: MaskSequence, times: array[float], spool: MaskSpool, boxes: bool
) -> None:
    facts = {
        "size": list(sequence.size),
        "frame_rate": sequence.rate_text,
        "names": {str(i): n for i, n in sequence.names.items()},
    }
    data = {"video": sequence.name, "limpet": facts | {"frame_times": times.tolist()}}
    file.write(f'[{{"data": {json.dumps(data)}, "annotations": [{{"result": [')
    duration = (times[-1] + 1 / float(sequence.frame_rate or 24)) if times else 0.0
    for place, region in enumerate(spool.objects()):
        number, part = divmod(region, _PARTS)
        head = {
            "id": f"object-{number}" + (f"-{part}" if part else ""), "type": BOX if boxes else VECTOR,
            "from_name": "box" if boxes else "vector", "to_name": "video", "origin": "manual",
        }  # fmt: skip
        value = {
            "framesCount": len(times),
            "duration": duration,
            "labels": [label_of(number, sequence.names[number])],
        }
        file.write(
            ",\n" * (place > 0)
            + json.dumps(head)[:-1]
            + f', "value": {json.dumps(value)[:-1]}, "sequence": ['
        )
        _write_sequence(file, spool.of_object(region), sequence.size, times, boxes)
        file.write("]}}")
    file.write("]}]}]\n")


def _write_sequence(
    file: IO[str], found: Iterator[tuple[int, str]], size: tuple[int, int], times: array[float], boxes: bool
) -> None:
    """One key frame per frame; the last one before a gap is not enabled, so that nothing is shown in the gap."""
    before: tuple[int, dict[str, Any]] | None = None
    first = True
    for frame, text in found:
        if before is not None:
            file.write(", " * (not first) + json.dumps({**before[1], "enabled": frame == before[0] + 1}))
            first = False
        numbers = json.loads(text)
        entry = {"frame": frame + 1, "time": times[frame]}
        before = frame, entry | (_box(numbers, size) if boxes else _vector(numbers, size))
    if before is not None:
        file.write(", " * (not first) + json.dumps({**before[1], "enabled": before[0] + 1 == len(times)}))


def _box(box: list[int], size: tuple[int, int]) -> dict[str, Any]:
    left, top, width, height = box
    return {
        "x": 100 * left / size[1], "y": 100 * top / size[0], "width": 100 * width / size[1],
        "height": 100 * height / size[0], "rotation": 0,
    }  # fmt: skip


def _vector(flat: list[float], size: tuple[int, int]) -> dict[str, Any]:
    points = [(100 * x / size[1], 100 * y / size[0]) for x, y in zip(flat[::2], flat[1::2], strict=True)]
    vertices = [
        {"id": f"v{k}", "x": x, "y": y, "prevPointId": f"v{k - 1}" if k else None, "isBezier": False}
        for k, (x, y) in enumerate(points)
    ]
    return {"vertices": vertices, "closed": True}


def _area(ring: Ring) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2)


def read(path: Path, choice: str | None = None) -> MaskSequence:
    """The regions of the first task and its first annotation, as masks.

    Raises:
        MaskError: it is damaged, or does not state the size of the frames, which Label Studio does not export for
            videos; limpet's own files do.
    """
    content, where = read_json(path), str(path)
    task = content[0] if isinstance(content, list) and content else content
    try:
        result = (task.get("annotations") or task.get("predictions"))[0]["result"]
        regions = [region for region in result if region["type"] in (BOX, VECTOR, f"{VECTOR}labels")]
        data = task["data"]
        extra = own_facts(data)
        labels = [
            str((r["value"].get("labels") or r["value"].get("videovectorlabels") or [""])[0]) for r in regions
        ]
        tracks = [_by_frame(region["value"]["sequence"], where) for region in regions]
        lengths = [int(region["value"].get("framesCount", 0)) for region in regions]
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise MaskError(
            f"{where} is not a task of Label Studio with regions of a video ({error!r})"
        ) from error
    if "size" not in extra:
        raise MaskError(
            f"{where} does not state the size of the video in pixels; add it to the task's data: "
            '"limpet": {"size": [height, width]}'
        )
    size = check_frame_size(extra["size"][0], extra["size"][-1], where)
    keys = [
        (match[1] if (match := _REGION.fullmatch(str(r.get("id")))) else str(r.get("id"))) for r in regions
    ]
    order = list(dict.fromkeys(keys))
    label = {key: labels[keys.index(key)] for key in order}
    numbers, known = ids_of([int(k) if k.isdecimal() and len(k) < 6 else None for k in order], label.values())
    ids = dict(zip(order, numbers, strict=True))
    names = {i: name_of(label[key], i) for key, i in ids.items()}
    names |= {int(i): str(name) for i, name in dict(extra.get("names", {})).items() if i.isdecimal()}
    count = max([*lengths, *(max(track, default=-1) + 1 for track in tracks), 0])
    check_counts(len(names), count, where)
    rate = positive_rate(extra.get("frame_rate"), where)
    times = [float(time) for time in extra.get("frame_times", [])]

    def frames() -> Iterator[MaskFrame]:
        painter = LabelPainter(size, max(names, default=0))
        for index in range(max(count, len(times))):
            for key, track in zip(keys, tracks, strict=True):
                if index in track:
                    painter.paint_mask(ids[key], _mask(track[index], size, where))
            yield MaskFrame(
                index, times[index] if index < len(times) else time_of(index, rate), painter.finish()
            )
        for notice in painter.notice():
            sequence.note(notice)

    name = str(data.get("video") or path.stem).rpartition("/")[2]
    sequence = MaskSequence(name, size, dict(sorted(names.items())), frames, max(count, len(times)), rate)
    sequence.timed = rate is not None or bool(times)
    sequence.numbered = not known
    return sequence


def _by_frame(entries: list[dict[str, Any]], where: str) -> dict[int, dict[str, Any]]:
    """Frame, from 0, -> place. Between two key frames boxes move evenly, and outlines stay."""
    found: dict[int, dict[str, Any]] = {}
    before: tuple[int, dict[str, Any]] | None = None
    for entry in sorted(entries, key=lambda entry: int(entry["frame"])):
        frame = whole_number(entry["frame"], f"a frame in {where}", limits().frames) - 1
        if before is not None and before[1].get("enabled", True):
            for between in range(before[0] + 1, frame):
                found[between] = _between(before[1], entry, (between - before[0]) / (frame - before[0]))
        found[frame] = entry
        before = frame, entry
    return found


def _between(one: dict[str, Any], two: dict[str, Any], share: float) -> dict[str, Any]:
    if "vertices" in one:
        return one
    keys = ("x", "y", "width", "height", "rotation")
    return {key: float(one.get(key, 0)) * (1 - share) + float(two.get(key, 0)) * share for key in keys}


def _mask(entry: dict[str, Any], size: tuple[int, int], where: str) -> Any:
    height, width = size
    try:
        if "vertices" in entry:
            points = [(float(point["x"]), float(point["y"])) for point in entry["vertices"]]
        else:
            x, y, across, down = (float(entry[key]) for key in ("x", "y", "width", "height"))
            points = [(x, y), (x + across, y), (x + across, y + down), (x, y + down)]
            angle = np.radians(float(entry.get("rotation", 0)))  # clockwise, about the upper left corner
            turn = [(px - x, py - y) for px, py in points]
            ratio = height / width
            points = [
                (
                    x + dx * np.cos(angle) - dy * np.sin(angle) * ratio,
                    y + dx * np.sin(angle) / ratio + dy * np.cos(angle),
                )
                for dx, dy in turn
            ]
    except (LookupError, TypeError, ValueError) as error:
        raise MaskError(f"{where} has a region whose place is damaged ({error!r})") from error
    flat = [value for px, py in points for value in (px * width / 100, py * height / 100)]
    # Per cent lose the last digits of pixels; an edge may not fall to the other side of a pixel's centre by them.
    return fill_polygons([np.round(ring, 6) for ring in rings_of([flat], where)], size)
