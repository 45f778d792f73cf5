"""What COCO calls a segmentation: an RLE, compressed or not, or polygons. COCO, YouTube-VIS and SA-V files have it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from limpet.core.errors import MaskError
from limpet.core.provenance import VERSION
from limpet.exchange.coco_rle import (
    Counts,
    area,
    bounding_box,
    checked_counts,
    compress,
    counts_to_mask,
    decompress,
)
from limpet.exchange.label_painter import LabelPainter
from limpet.exchange.mask_sequence import MaskSequence
from limpet.exchange.polygons import fill_polygons, outlines, rings_of
from limpet.exchange.untrusted import whole_number

UNNAMED = "object"
"""The category of objects without a name."""


def rle_json(counts: Counts, size: tuple[int, int]) -> dict[str, Any]:
    """``{"size": [H, W], "counts": "…"}``."""
    return {"size": list(size), "counts": compress(counts)}


class SegmentationWriter:
    """Segmentations of one kind, and what is lost in them.

    Args:
        size: (H, W) of the frames. polygons: outlines instead of RLE.
    """

    def __init__(self, size: tuple[int, int], polygons: bool) -> None:
        self.size, self.polygons = size, polygons
        self._holed = 0

    def fields(self, counts: Counts) -> dict[str, Any]:
        """``segmentation``, ``area`` in pixels and ``bbox`` [x, y, width, height] of an object that is visible."""
        fields = {"area": area(counts), "bbox": list(bounding_box(counts, self.size[0]))}
        if not self.polygons:
            return {"segmentation": rle_json(counts, self.size), **fields}
        rings, holes = outlines(counts_to_mask(counts, self.size))
        self._holed += holes > 0
        return {"segmentation": [ring.astype(int).ravel().tolist() for ring in rings], **fields}

    def tell(self, sequence: MaskSequence) -> None:
        """Note on ``sequence`` what was lost so far."""
        if self._holed:
            sequence.note(f"polygons have no holes: those of {self._holed} masks were filled; RLE keeps them")


def paint_segmentation(painter: LabelPainter, object_id: int, segmentation: Any, where: str) -> None:
    """Paint a segmentation (None: not visible). Raises MaskError if it is damaged or of another size."""
    height, width = painter.size
    if segmentation is None or segmentation == []:
        return
    if isinstance(segmentation, list):
        mask = np.zeros(painter.size, np.bool_)
        for ring in rings_of(segmentation, where):
            mask |= fill_polygons([ring], painter.size)
        painter.paint_mask(object_id, mask)
        return
    if not isinstance(segmentation, Mapping) or not {"size", "counts"} <= segmentation.keys():
        raise MaskError(f"{where} has a segmentation that is neither an RLE (size, counts) nor polygons")
    if list(segmentation["size"] if isinstance(segmentation["size"], list) else []) != [height, width]:
        raise MaskError(
            f"{where} has an RLE of size {json.dumps(segmentation['size'])[:40]}, but the frames are {height}x{width}"
        )
    counts = segmentation["counts"]
    if isinstance(counts, str):
        painter.paint_counts(object_id, decompress(counts, height * width))
        return
    if not isinstance(counts, list):
        raise MaskError(f"{where} has an RLE whose counts are neither a string nor a list")
    numbers = [whole_number(count, f"a count in {where}", height * width) for count in counts]
    painter.paint_counts(object_id, checked_counts(np.array(numbers, np.int64), height * width))


def category_ids(names: Mapping[int, str]) -> dict[str, int]:
    """The names of objects as categories with numbers from 1 on; objects without a name share one category."""
    return {
        name: k for k, name in enumerate(dict.fromkeys(name or UNNAMED for name in names.values()), start=1)
    }


def document_head(categories: Mapping[str, int]) -> str:
    """How a COCO or YouTube-VIS file begins: the JSON of its info and categories, without the closing brace."""
    listed = [{"id": number, "name": name, "supercategory": "object"} for name, number in categories.items()]
    info = {"description": f"made by limpet {VERSION}"}
    return json.dumps({"info": info, "licenses": [], "categories": listed})[:-1]


def category_names(content: Mapping[str, Any], where: str) -> dict[int, str]:
    """Numbers and names of the categories of a file; our category of unnamed objects has the name ""."""
    found = {}
    for category in list_of_objects(content, "categories", where):
        name = str(category.get("name", ""))
        found[whole_number(category.get("id"), f"a category's id in {where}")] = (
            "" if name == UNNAMED else name
        )
    return found


def category_of(annotation: Mapping[str, Any], names: Mapping[int, str]) -> str:
    """The name of the category of an annotation; "" where it has none."""
    number = annotation.get("category_id")
    return names.get(number, "") if isinstance(number, int) else ""


def own_facts(content: Mapping[str, Any]) -> dict[str, Any]:
    """What limpet added to a file of a format that has no place for it; empty for files of other programs."""
    facts = content.get("limpet")
    return facts if isinstance(facts, dict) else {}


def list_of_objects(content: Any, key: str, where: str) -> list[dict[str, Any]]:
    """``content[key]``, a list of JSON objects; empty where there is none. Raises MaskError."""
    items = content.get(key, []) if isinstance(content, Mapping) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise MaskError(f"{where} is not as expected: {key} is not a list of objects")
    return items
