"""SA-V JSON: ``masklet[k][object]`` is an RLE in every fourth frame of the video.

Names, ids and times of frames, for which the format has no place, are in "limpet".
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from limpet.core.errors import MaskError
from limpet.core.files import atomic_path
from limpet.exchange.coco_rle import label_counts
from limpet.exchange.label_painter import LabelPainter
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence, positive_rate, time_of
from limpet.exchange.options import ConversionOptions
from limpet.exchange.segmentation import own_facts, paint_segmentation, rle_json
from limpet.exchange.untrusted import check_counts, check_frame_size, object_number, read_json, whole_number

EVERY = 4
"""Frames between two annotations: 6 of 24 per second."""


def write(sequence: MaskSequence, out: Path, options: ConversionOptions) -> None:
    """Write the file, frame by frame. Raises OutputError."""
    height, width = sequence.size
    ids = list(sequence.names)
    nothing = np.array([height * width], np.int64)
    left_out, annotated, count, last = 0, 0, sequence.frame_count or 0, 0.0
    times = array("d")
    with atomic_path(out) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'{{"video_id": {json.dumps(sequence.title)}, "masklet": [')
        for frame in sequence:
            count, last = max(count, frame.index + 1), frame.time
            if frame.index % EVERY:
                left_out += 1
                continue
            while annotated * EVERY < frame.index:
                file.write(", " * (annotated > 0) + json.dumps([rle_json(nothing, sequence.size)] * len(ids)))
                times.append(time_of(annotated * EVERY, sequence.frame_rate))
                annotated += 1
            found = label_counts(frame.labels)
            row = [rle_json(found.get(i, nothing), sequence.size) for i in ids]
            file.write(",\n" * (annotated > 0) + json.dumps(row))
            times.append(frame.time)
            annotated += 1
        facts = {
            "masklet_id": list(range(len(ids))), "masklet_num": len(ids), "masklet_type": "manual",
            "video_height": height, "video_width": width, "video_resolution": height * width,
            "video_frame_count": count, "video_duration": last,
            "limpet": {
                "ids": ids, "names": list(sequence.names.values()), "name": sequence.name,
                "frame_rate": sequence.rate_text,
                "frame_times": times.tolist(),
            },
        }  # fmt: skip
        file.write(f"], {json.dumps(facts)[1:]}\n")
    if left_out:
        sequence.note(
            f"SA-V has masks in every {EVERY}th frame only: those of {left_out} other frames were left out"
        )


def read(path: Path, choice: str | None = None) -> MaskSequence:
    """The masks of a file, in frames 0, 4, 8, … Raises MaskError if it is damaged."""
    content, where = read_json(path), str(path)
    masklet = content.get("masklet") if isinstance(content, dict) else None
    if not isinstance(masklet, list) or not all(isinstance(row, list) for row in masklet):
        raise MaskError(f"{where} has no list masklet[frame][object]; expected a JSON file of SA-V")
    size = check_frame_size(content.get("video_height"), content.get("video_width"), where)
    width = len(masklet[0]) if masklet else 0
    check_counts(width, len(masklet) * EVERY, where)
    if any(len(row) != width for row in masklet):
        raise MaskError(f"{where} has frames with different numbers of objects")
    extra = own_facts(content)
    ids = [object_number(i, where) for i in extra.get("ids", range(1, width + 1))]
    names = [str(name) for name in extra.get("names", [""] * width)]
    times = extra.get("frame_times", [])
    if len(set(ids)) != width or len(names) != width:
        raise MaskError(f"the ids or names in {where} do not belong to {width} objects")
    rate = positive_rate(extra.get("frame_rate"), where)

    def frames() -> Iterator[MaskFrame]:
        painter = LabelPainter(size, max(ids, default=0))
        for place, row in enumerate(masklet):
            for number, segmentation in zip(ids, row, strict=True):
                paint_segmentation(painter, number, segmentation, f"masklet {place} of {where}")
            index = place * EVERY
            time = float(times[place]) if place < len(times) else time_of(index, rate)
            yield MaskFrame(index, time, painter.finish())
        for notice in painter.notice():
            sequence.note(notice)

    count = whole_number(
        content.get("video_frame_count", (len(masklet) - 1) * EVERY + 1), f"video_frame_count in {where}"
    )
    name = str(extra.get("name") or content.get("video_id") or path.stem)
    sequence = MaskSequence(name, size, dict(sorted(zip(ids, names, strict=True))), frames, count, rate)
    sequence.timed = rate is not None or bool(times)
    sequence.numbered = "ids" not in extra
    return sequence
