"""Collects the shapes of a CVAT file, track by track, and gives them frame by frame."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import MaskError
from limpet.core.limits import limits
from limpet.exchange.coco_rle import checked_counts, counts_to_mask
from limpet.exchange.label_painter import LabelPainter
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence, positive_rate, time_of
from limpet.exchange.object_ids import ids_of, name_of
from limpet.exchange.polygons import fill_polygons, rings_of
from limpet.exchange.spool import MaskSpool
from limpet.exchange.untrusted import check_frame_size, whole_number

_SHAPES = {"mask", "polygon", "box"}
_OTHER_SHAPES = {"polyline", "points", "ellipse", "cuboid", "skeleton"}


@dataclass
class _Track:
    label: str
    stated: int | None = None
    visible: int = 0


class TrackReader:
    """Takes the events of ``limpet.exchange.xml_events`` one by one.

    Args:
        where: the file, for messages. id_attribute: the name of the attribute that holds an object's id.
    """

    def __init__(self, where: str, id_attribute: str) -> None:
        self._where, self._id_attribute = where, id_attribute
        self._spool = MaskSpool("frame")
        self._tracks: list[_Track] = []
        self._of_label: dict[tuple[str, int], int] = {}
        self._in_image: Counter[str] = Counter()
        self._path: list[str] = []
        self._track: int | None = None
        self._image: int | None = None
        self._attribute = ""
        self._facts: dict[str, str] = {}
        self._times = array("d")
        self._left_out: Counter[str] = Counter()
        self._kinds: set[str] = set()

    def take(self, kind: str, name: str, attributes: dict[str, str], text: str) -> None:
        """One event. Raises MaskError if it is none that CVAT writes."""
        if kind == "start":
            self._path.append(name)
            self._start(name, attributes)
            return
        self._path.pop()
        if name == "attribute" and self._attribute == self._id_attribute and self._track is not None:
            self._tracks[self._track].stated = whole_number(
                text, f"an attribute {self._attribute} in {self._where}", limits().objects
            )
        elif name == "track":
            self._track = None
        elif name == "image":
            self._image = None
        elif name in _SHAPES and self._image is not None:
            self._track = None
        elif name in ("width", "height", "size", "name") and self._path[-1:] in (
            ["original_size"],
            ["task"],
            ["job"],
        ):
            self._facts.setdefault(name, text)
        elif name == "time" and self._path[-1:] == ["limpet"]:
            self._times.append(_number(text, self._where))

    def sequence(self, otherwise: str) -> MaskSequence:
        """What was taken; ``otherwise``: its name, if the file has none."""
        if "width" not in self._facts:
            raise MaskError(
                f"{self._where} does not state the size of its frames; export one task of CVAT, not a project"
            )
        size = check_frame_size(self._facts.get("height"), self._facts["width"], self._where)
        ids, known = ids_of([track.stated for track in self._tracks], [track.label for track in self._tracks])
        names = {i: name_of(track.label, i) for i, track in zip(ids, self._tracks, strict=True)}
        rate = positive_rate(self._facts.get("frame_rate"), self._where)
        count = self._spool.last_frame() + 1
        if self._facts.get("size", "").isdecimal():
            count = max(count, int(self._facts["size"]))
        times = self._times if len(self._times) >= count else None

        def frames() -> Iterator[MaskFrame]:
            painter = LabelPainter(size, max(ids, default=0))
            gone: set[int] = set()
            for index, shapes in self._spool.by_frame():
                shown = sorted(
                    (s for s in ((t, json.loads(text)) for t, text in shapes)), key=lambda s: s[1]["z"]
                )
                stated = {ids[track] for track, _ in shown}
                for track, shape in shown:
                    if shape["outside"]:
                        # A shape of one frame is closed by this too, which does not say that the object is not there.
                        gone |= {ids[track]} if self._tracks[track].visible > 1 else set()
                        stated -= {ids[track]}
                        continue
                    gone.discard(ids[track])
                    self._paint(painter, ids[track], shape, size)
                labels = painter.finish()
                stated |= gone
                if stated:
                    time = times[index] if times is not None else time_of(index, rate)
                    yield MaskFrame(index, time, labels, frozenset(stated))
            for notice in painter.notice():
                sequence.note(notice)

        name = self._facts.get("name") or otherwise
        sequence = MaskSequence(name, size, dict(sorted(names.items())), frames, count, rate)
        sequence.timed = rate is not None or times is not None
        sequence.numbered = not known
        if not known:
            sequence.note(
                f"{self._where} has no ids of objects: they were numbered in the order of its tracks"
            )
        for shape, number in sorted(self._left_out.items()):
            sequence.note(
                f"{number} shapes of the kind {shape} were left out; masks, polygons and boxes are read"
            )
        for kind, plural in (("polygon", "polygons"), ("box", "boxes")):
            if kind in self._kinds:
                sequence.note(f"{plural} became masks: the pixels whose centre lies within")
        return sequence

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "track":
            self._track = self._new_track(attributes.get("label", ""))
        elif name == "image":
            self._image = whole_number(
                attributes.get("id"), f"an image's id in {self._where}", limits().frames
            )
            self._facts.setdefault("width", attributes.get("width", ""))
            self._facts.setdefault("height", attributes.get("height", ""))
            self._in_image.clear()
        elif name == "attribute":
            self._attribute = attributes.get("name", "")
        elif name == "limpet":
            self._facts |= {"frame_rate": attributes["frame_rate"]} if "frame_rate" in attributes else {}
        elif name in _OTHER_SHAPES and (self._track is not None or self._image is not None):
            self._left_out[name] += 1
        elif name in _SHAPES and (self._track is not None or self._image is not None):
            self._take_shape(name, attributes)

    def _take_shape(self, kind: str, attributes: dict[str, str]) -> None:
        if (
            self._image is not None
        ):  # a task of images: the first "cat" of each image is one object, and so on
            label = attributes.get("label", "")
            key = (label, self._in_image[label])
            self._in_image[label] += 1
            if key not in self._of_label:
                self._of_label[key] = self._new_track(label)
            self._track, frame = self._of_label[key], self._image
        else:
            frame = whole_number(attributes.get("frame"), f"a frame in {self._where}", limits().frames)
        assert self._track is not None
        outside = attributes.get("outside") == "1"
        self._tracks[self._track].visible += not outside
        self._kinds.add(kind)
        z = attributes.get("z_order", "0")
        shape = {"kind": kind, "outside": outside, "z": int(z) if z.lstrip("-").isdecimal() else 0}
        if not outside:
            shape |= {key: attributes.get(key, "") for key in _FIELDS[kind]}
        self._spool.put(self._track, frame, json.dumps(shape))

    def _new_track(self, label: str) -> int:
        if len(self._tracks) >= limits().objects:
            raise MaskError(f"{self._where} has more than {limits().objects} tracks")
        self._tracks.append(_Track(label))
        return len(self._tracks) - 1

    def _paint(
        self, painter: LabelPainter, number: int, shape: dict[str, Any], size: tuple[int, int]
    ) -> None:
        if shape["kind"] == "mask":
            left, top, width, height = (
                whole_number(shape[key], f"the {key} of a mask in {self._where}", max(size))
                for key in ("left", "top", "width", "height")
            )
            runs = _runs(shape["rle"], self._where)
            mask = counts_to_mask(checked_counts(runs, width * height), (height, width), "C")
            painter.paint_mask(number, mask, left, top)
            return
        if shape["kind"] == "box":
            x0, y0, x1, y1 = (_number(shape[key], self._where) for key in ("xtl", "ytl", "xbr", "ybr"))
            flat = [x0, y0, x1, y0, x1, y1, x0, y1]
        else:
            flat = [
                _number(part, self._where)
                for point in shape["points"].split(";")
                for part in point.split(",")
            ]
        for ring in rings_of([flat], self._where):
            painter.paint_mask(number, fill_polygons([ring], size))


_FIELDS = {
    "mask": ("rle", "left", "top", "width", "height"),
    "polygon": ("points",),
    "box": ("xtl", "ytl", "xbr", "ybr"),
}


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise MaskError(f"{where} has {text[:40]!r} where a number is expected") from error


def _runs(text: str, where: str) -> NDArray[np.int64]:
    try:
        return np.array([int(part) for part in text.split(",") if part.strip()], np.int64)
    except (ValueError, OverflowError) as error:
        raise MaskError(f"{where} has a mask whose rle is not a list of whole numbers") from error
