"""CVAT for video 1.1: an XML file with a track per object, alone or as annotations.xml in a zip.

A mask is written row by row within its box, as the lengths of runs that alternate and start with background. CVAT knows
a track only by its place. The id of the object is therefore an attribute, ``limpet_id``, which survives where the label
in CVAT has an attribute of this name.
"""

from __future__ import annotations

import io
import json
import zipfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape, quoteattr

from limpet.core.errors import MaskError
from limpet.core.files import atomic_path
from limpet.exchange.coco_rle import bounding_box, label_counts, mask_counts
from limpet.exchange.cvat_tracks import TrackReader
from limpet.exchange.frame_times import FrameTimes
from limpet.exchange.mask_sequence import MaskSequence
from limpet.exchange.object_ids import label_of
from limpet.exchange.options import ConversionOptions
from limpet.exchange.spool import MaskSpool
from limpet.exchange.untrusted import open_zip
from limpet.exchange.xml_events import xml_events

ID_ATTRIBUTE = "limpet_id"
MEMBER = "annotations.xml"


def write(sequence: MaskSequence, out: Path, options: ConversionOptions) -> None:
    """Write an XML file, or a zip of it. Raises OutputError."""
    frame_times = FrameTimes(sequence)
    with MaskSpool("object") as spool, atomic_path(out) as temporary:
        for frame in sequence:
            frame_times.add(frame)
            for number, counts in label_counts(frame.labels).items():
                left, top, width, height = bounding_box(counts, sequence.size[0])
                crop = frame.labels[top : top + height, left : left + width] == number
                runs = ", ".join(map(str, mask_counts(crop, "C").tolist()))
                spool.put(number, frame.index, json.dumps([left, top, width, height, runs]))
        if out.suffix.lower() == ".zip":
            with (
                zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
                archive.open(MEMBER, "w", force_zip64=True) as member,
                io.TextIOWrapper(member, "utf-8", write_through=True) as file,
            ):
                _write_xml(file, sequence, frame_times.finish(), spool)
        else:
            with temporary.open("w", encoding="utf-8") as file:
                _write_xml(file, sequence, frame_times.finish(), spool)


def _write_xml(file: IO[str], sequence: MaskSequence, times: array[float], spool: MaskSpool) -> None:
    count = len(times)
    height, width = sequence.size
    labels = dict.fromkeys(label_of(number, name) for number, name in sequence.names.items())
    file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n<meta><task>')
    file.write(f"<name>{_text(sequence.name)}</name><size>{count}</size><mode>interpolation</mode><labels>")
    for label in labels:
        file.write(
            f"<label><name>{_text(label)}</name><type>mask</type><attributes><attribute><name>{ID_ATTRIBUTE}</name>"
        )
        file.write("<mutable>False</mutable><input_type>number</input_type><default_value>0</default_value>")
        file.write("<values>0\n65535\n1</values></attribute></attributes></label>")
    file.write(
        f"</labels><original_size><width>{width}</width><height>{height}</height></original_size></task>"
    )
    rate = "" if sequence.frame_rate is None else f' frame_rate="{sequence.frame_rate}"'
    file.write(f"<limpet{rate}>")
    for time in times:
        file.write(f"<time>{time!r}</time>")
    file.write("</limpet></meta>\n")
    shown = set(spool.objects())
    for place, number in enumerate(i for i in sequence.names if i in shown):
        label = quoteattr(_text(label_of(number, sequence.names[number]), raw=True))
        file.write(f'<track id="{place}" label={label} source="manual">\n')
        _write_track(file, number, spool.of_object(number), count)
        file.write("</track>\n")
    file.write("</annotations>\n")
    for number in sorted(set(sequence.names) - shown):
        sequence.note(f"object {number} is visible in no frame, so that CVAT gets no track of it")


def _write_track(file: IO[str], number: int, found: Iterator[tuple[int, str]], count: int) -> None:
    """The masks of one object. ``outside`` ends it wherever the next frame does not show it."""
    before: tuple[int, str] | None = None
    for frame, text in found:
        if before is not None and frame > before[0] + 1:
            file.write(_shape(before[0] + 1, before[1], number, outside=True))
        file.write(_shape(frame, text, number, outside=False))
        before = frame, text
    if before is not None and before[0] + 1 < count:
        file.write(_shape(before[0] + 1, before[1], number, outside=True))


def _shape(frame: int, text: str, number: int, outside: bool) -> str:
    left, top, width, height, runs = json.loads(text)
    box = f'left="{left}" top="{top}" width="{width}" height="{height}"'
    return (
        f'<mask frame="{frame}" keyframe="1" outside="{int(outside)}" occluded="0" rle="{runs}" {box} z_order="0">'
        f'<attribute name="{ID_ATTRIBUTE}">{number}</attribute></mask>\n'
    )


def _text(text: str, raw: bool = False) -> str:
    """Text without the control characters that XML cannot hold; escaped unless ``raw``."""
    plain = "".join(character for character in text if character >= " " or character in "\t\n\r")
    return plain if raw else escape(plain)


def read(path: Path, choice: str | None = None) -> MaskSequence:
    """The tracks of a video task, or the shapes of a task of images.

    Raises:
        MaskError: the file is damaged, or states no size of the frames.
    """
    reader = TrackReader(str(path), ID_ATTRIBUTE)
    with _opened(path) as file:
        for event in xml_events(file, str(path)):
            reader.take(*event)
    return reader.sequence(path.stem)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if path.suffix.lower() != ".zip":
        try:
            with path.open("rb") as file:
                yield file
        except OSError as error:
            raise MaskError(f"{path} cannot be read: {error.strerror}") from error
        return
    with open_zip(path) as archive:
        names = [name for name in archive.namelist() if name.rpartition("/")[2] == MEMBER]
        if len(names) != 1:
            raise MaskError(f"{path} has {len(names)} files named {MEMBER}; expected one: export one task")
        try:
            with archive.open(names[0]) as member:
                yield member
        except (RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            raise MaskError(f"{names[0]} in {path} cannot be read: {error}") from error
