"""Supervisely's videos: a project of one data set, where each mask is a bitmap at a place of the frame.

A bitmap is a PNG, packed with zlib and written as base64. ``key_id_map.json`` holds the ids of objects.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.core.errors import MaskError
from limpet.core.limits import limits
from limpet.core.masks import davis_palette
from limpet.exchange.coco_rle import bounding_box, label_counts
from limpet.exchange.frame_times import FrameTimes
from limpet.exchange.label_painter import LabelPainter
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence, positive_rate, time_of
from limpet.exchange.object_ids import ids_of, label_of, name_of
from limpet.exchange.options import ConversionOptions, chosen
from limpet.exchange.segmentation import list_of_objects, own_facts
from limpet.exchange.untrusted import (
    check_counts,
    check_frame_size,
    open_picture,
    read_json,
    safe_name,
    whole_number,
)

_DATASET = "ds0"
_MOST_PACKED = 1 << 26
"""Bytes of one bitmap's PNG."""


def write(sequence: MaskSequence, out: Path, options: ConversionOptions) -> None:
    """Write the project into ``out``, frame by frame. The video itself goes into ds0/video by hand."""
    name = safe_name(sequence.name, "video")
    keys = {i: _key(sequence.name, i) for i in sequence.names}
    labels = dict.fromkeys(label_of(i, text) for i, text in sequence.names.items())
    colours = ["#{:02x}{:02x}{:02x}".format(*davis_palette()[1 + k % 255]) for k in range(len(labels))]
    classes = [
        {"title": label, "shape": "bitmap", "color": colour, "geometry_config": {}, "hotkey": ""}
        for label, colour in zip(labels, colours, strict=True)
    ]
    _put(out / "meta.json", {"classes": classes, "tags": [], "projectType": "videos"})
    ids = {"tags": {}, "objects": {keys[i]: i for i in keys}, "figures": {}, "videos": {}}
    _put(out / "key_id_map.json", ids)
    (out / _DATASET / "ann").mkdir(parents=True)
    (out / _DATASET / "video").mkdir()
    height, width = sequence.size
    times = FrameTimes(sequence)
    with (out / _DATASET / "ann" / f"{name}.json").open("w", encoding="utf-8") as file:
        head = {
            "size": {"height": height, "width": width}, "description": "", "key": _key(sequence.name, 0), "tags": [],
            "objects": [
                {"key": keys[i], "classTitle": label_of(i, text), "tags": []} for i, text in sequence.names.items()
            ],
        }  # fmt: skip
        file.write(f'{json.dumps(head)[:-1]}, "frames": [')
        some = False
        for frame in sequence:
            times.add(frame)
            figures = [
                {"key": _key(f"{sequence.name} {frame.index}", i), "objectKey": keys[i], "geometryType": "bitmap",
                 "geometry": {"bitmap": _bitmap(frame.labels == i, bounding_box(counts, height))}}
                for i, counts in label_counts(frame.labels).items()
            ]  # fmt: skip
            if figures:
                file.write(",\n" * some + json.dumps({"index": frame.index, "tags": [], "figures": figures}))
                some = True
        all_times = times.finish()
        own = {"name": sequence.name, "frame_rate": sequence.rate_text, "frame_times": all_times.tolist()}
        file.write(f'], "framesCount": {len(all_times)}, "limpet": {json.dumps(own)}}}\n')
    sequence.note(
        f"put the video itself into {_DATASET}/video, under the name {name}, before you upload the project"
    )


def read(path: Path, choice: str | None = None) -> MaskSequence:
    """The bitmaps of one video: of a project's folder (``choice``: the video), or of one annotation file.

    Raises:
        MaskError: it is damaged, or the project has several videos and none is chosen.
    """
    file, root = _annotation(path, choice)
    content, where = read_json(file), str(file)
    shape = content.get("size") if isinstance(content, dict) else None
    if not isinstance(shape, dict):
        raise MaskError(f"{where} is not the annotation of a video of Supervisely: it has no size")
    size = check_frame_size(shape.get("height"), shape.get("width"), where)
    objects = list_of_objects(content, "objects", where)
    labels = [str(item.get("classTitle", "")) for item in objects]
    stated = _stated(root, [str(item.get("key")) for item in objects])
    numbers, known = ids_of(stated, labels)
    ids = {str(item.get("key")): number for item, number in zip(objects, numbers, strict=True)}
    names = {i: name_of(label, i) for i, label in zip(numbers, labels, strict=True)}
    rows = list_of_objects(content, "frames", where)
    frames_by_index = {
        whole_number(row.get("index"), f"an index in {where}", limits().frames): row for row in rows
    }
    count = whole_number(
        content.get("framesCount", max(frames_by_index, default=-1) + 1), f"framesCount in {where}"
    )
    count = max(count, max(frames_by_index, default=-1) + 1)
    check_counts(len(ids), count, where)
    extra = own_facts(content)
    rate = positive_rate(extra.get("frame_rate"), where)
    times: list[Any] = extra.get("frame_times") or []

    def frames() -> Iterator[MaskFrame]:
        painter = LabelPainter(size, max(numbers, default=0))
        for index in range(count):
            for figure in list_of_objects(frames_by_index.get(index, {}), "figures", where):
                _paint(painter, ids, figure, f"frame {index} of {where}")
            yield MaskFrame(
                index, float(times[index]) if index < len(times) else time_of(index, rate), painter.finish()
            )
        for notice in painter.notice():
            sequence.note(notice)

    sequence = MaskSequence(
        str(extra.get("name") or file.stem), size, dict(sorted(names.items())), frames, count, rate
    )
    sequence.timed = rate is not None or bool(times)
    sequence.numbered = not known
    other = sum(
        f.get("geometryType") != "bitmap" for row in rows for f in list_of_objects(row, "figures", where)
    )
    if other:
        sequence.note(f"{other} figures that are no bitmaps were left out")
    return sequence


def _annotation(path: Path, choice: str | None) -> tuple[Path, Path | None]:
    """The annotation file, and the folder of its project if it is known."""
    if path.is_file():
        return path, None
    found = {file.name.removesuffix(".json"): file for file in sorted(path.glob("*/ann/*.json"))}
    return found[chosen(list(found), choice, str(path), "annotated videos")], path


def _stated(root: Path | None, keys: list[str]) -> list[int | None]:
    """The ids in key_id_map.json, as far as they can be ids here; Supervisely's own are larger."""
    if root is None or not (root / "key_id_map.json").is_file():
        return [None] * len(keys)
    content = read_json(root / "key_id_map.json")
    known = content.get("objects") if isinstance(content, dict) else None
    known = known if isinstance(known, dict) else {}
    numbers = [known.get(key) for key in keys]
    usable = all(isinstance(number, int) and 0 < number <= limits().objects for number in numbers)
    return numbers if usable else [None] * len(keys)


def _bitmap(mask: NDArray[np.bool_], box: tuple[int, int, int, int]) -> dict[str, Any]:
    left, top, width, height = box
    image = Image.fromarray(mask[top : top + height, left : left + width].astype(np.uint8))
    image.putpalette([0, 0, 0, 255, 255, 255])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0)
    return {"data": base64.b64encode(zlib.compress(buffer.getvalue())).decode("ascii"), "origin": [left, top]}


def _paint(painter: LabelPainter, ids: dict[str, int], figure: dict[str, Any], where: str) -> None:
    if figure.get("geometryType") != "bitmap":
        return
    try:
        bitmap = figure["geometry"]["bitmap"]
        number = ids[str(figure["objectKey"])]
        left, top = (int(value) for value in bitmap["origin"])
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(bitmap["data"], validate=True), _MOST_PACKED)
    except (LookupError, TypeError, ValueError, binascii.Error, zlib.error) as error:
        raise MaskError(f"a bitmap in {where} is damaged ({error!r})") from error
    if unpacker.unconsumed_tail:
        raise MaskError(f"a bitmap in {where} has more than {_MOST_PACKED} bytes")
    pixels = open_picture(io.BytesIO(data), f"a bitmap in {where}")
    if abs(left) > 1 << 20 or abs(top) > 1 << 20:
        raise MaskError(f"a bitmap in {where} lies at {left}, {top}, far from the frame")
    # Supervisely also writes RGBA, whose alpha is the mask.
    painter.paint_mask(number, (pixels[..., -1] if pixels.ndim == 3 else pixels) > 0, left, top)


def _key(name: str, number: int) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"limpet {name} {number}").hex


def _put(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
