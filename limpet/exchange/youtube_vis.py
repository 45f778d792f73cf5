"""YouTube-VIS JSON: one annotation per object, with a segmentation per frame, null where it is not visible.

Beside the format's own fields, a video has "limpet": its frame rate and the times of its frames, for which the format
has no place. Object ids are those of the annotations.

Results, as its server and its evaluation take them, are a list of such objects alone, each with a score.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from limpet.core.errors import MaskError, Option
from limpet.core.files import atomic_path
from limpet.exchange.coco_rle import label_counts
from limpet.exchange.frame_times import FrameTimes
from limpet.exchange.label_painter import LabelPainter
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence, positive_rate, time_of
from limpet.exchange.options import ConversionOptions, chosen
from limpet.exchange.segmentation import (
    UNNAMED,
    SegmentationWriter,
    category_ids,
    category_names,
    category_of,
    document_head,
    list_of_objects,
    own_facts,
    paint_segmentation,
)
from limpet.exchange.spool import MaskSpool
from limpet.exchange.untrusted import check_counts, check_frame_size, object_number, read_json, whole_number

RESULTS = "results"
"""The variant that is a list of results."""


def write(sequence: MaskSequence, out: Path, options: ConversionOptions) -> None:
    """Write one JSON file. Only one frame and some MiB are in memory, however long the video is.

    Raises:
        OutputError: it cannot be written. MaskError: polygons are asked for in results.
    """
    results = options.variant == RESULTS
    if results and options.polygons:
        raise MaskError("results of YouTube-VIS are RLE; leave out ", Option("polygons"))
    segments = SegmentationWriter(sequence.size, options.polygons)
    frame_times = FrameTimes(sequence)
    with MaskSpool("object") as spool, atomic_path(out) as temporary:
        for frame in sequence:
            frame_times.add(frame)
            for number, counts in label_counts(frame.labels).items():
                spool.put(number, frame.index, json.dumps(segments.fields(counts)))
        with temporary.open("w", encoding="utf-8") as file:
            if results:
                _write_results(file, sequence, len(frame_times.finish()), spool)
            else:
                _write_file(file, sequence, frame_times.finish(), spool)
    segments.tell(sequence)


def _write_file(file: IO[str], sequence: MaskSequence, times: array[float], spool: MaskSpool) -> None:
    categories = category_ids(sequence.names)
    file.write(document_head(categories))
    height, width = sequence.size
    video = {"id": 1, "width": width, "height": height, "length": len(times)}
    file.write(f', "videos": [{json.dumps(video)[:-1]}, "file_names": [')
    for index in range(len(times)):
        file.write(", " * (index > 0) + json.dumps(f"{sequence.title}/{index:05d}.jpg"))
    own = {"name": sequence.name, "frame_rate": sequence.rate_text}
    file.write(f'], "limpet": {json.dumps(own)[:-1]}, "frame_times": [')
    for index, time in enumerate(times):
        file.write(", " * (index > 0) + json.dumps(time))
    file.write(']}}], "annotations": [')
    for place, (number, name) in enumerate(sequence.names.items()):
        facts = {"id": number, "video_id": 1, "category_id": categories[name or UNNAMED], "iscrowd": 0}
        file.write(",\n" * (place > 0) + json.dumps(facts | {"width": width, "height": height})[:-1])
        for key, plural in (("segmentation", "segmentations"), ("area", "areas"), ("bbox", "bboxes")):
            file.write(f', "{plural}": [')
            _write_frames(file, spool.of_object(number), key, len(times))
            file.write("]")
        file.write("}")
    file.write("]}\n")


def _write_results(file: IO[str], sequence: MaskSequence, length: int, spool: MaskSpool) -> None:
    categories = category_ids(sequence.names)
    file.write("[")
    for place, (number, name) in enumerate(sequence.names.items()):
        facts = {"video_id": 1, "category_id": categories[name or UNNAMED], "score": 1.0, "id": number}
        file.write(",\n" * (place > 0) + json.dumps(facts)[:-1] + ', "segmentations": [')
        _write_frames(file, spool.of_object(number), "segmentation", length)
        file.write("]}")
    file.write("]\n")
    sequence.note(
        "results name videos and categories by the numbers of a data set: video_id is 1, category_id counts the names "
        "from 1 on, and each score is 1"
    )


def _write_frames(file: IO[str], found: Iterator[tuple[int, str]], key: str, length: int) -> None:
    """The values of one field, with null for each frame without."""
    index = 0
    for frame, text in found:
        file.write("".join(", null" if k else "null" for k in range(index, frame)))
        file.write(", " * (frame > 0) + json.dumps(json.loads(text)[key]))
        index = frame + 1
    file.write("".join(", null" if k else "null" for k in range(index, length)))


def read(path: Path, choice: str | None = None) -> MaskSequence:
    """The masks of one video of a file; ``choice``: its name or id, where there are several.

    Raises:
        MaskError: the file is damaged, or has several videos and none was chosen.
    """
    content, where = read_json(path), str(path)
    results = isinstance(content, list)
    if results:
        content = _with_videos(content, where)
    videos = {_name_of(video): video for video in list_of_objects(content, "videos", where)}
    video = videos[chosen(list(videos), choice, where, "videos")]
    if results and "height" not in video:
        raise MaskError(
            f"no result of video {video['id']} in {where} has a mask, by which the size of its frames would be known"
        )
    size = check_frame_size(video.get("height"), video.get("width"), where)
    length = whole_number(video.get("length", len(video.get("file_names", ()))), f"the length in {where}")
    own = [a for a in list_of_objects(content, "annotations", where) if a.get("video_id") == video.get("id")]
    check_counts(len(own), length, where)
    ids = _ids_of(own, where)
    categories = category_names(content, where)
    names = {number: category_of(a, categories) for number, a in ids.items()}
    extra = own_facts(video)
    rate, times = positive_rate(extra.get("frame_rate"), where), _times(extra, length, where)
    tracks = {number: _segmentations(a, length, where) for number, a in ids.items()}

    def frames() -> Iterator[MaskFrame]:
        painter = LabelPainter(size, max(ids, default=0))
        for index in range(length):
            for number, segmentations in tracks.items():
                paint_segmentation(
                    painter, number, segmentations[index], f"frame {index} of object {number} in {where}"
                )
            yield MaskFrame(index, times[index] if times else time_of(index, rate), painter.finish())
        for notice in painter.notice():
            sequence.note(notice)

    name = str(extra.get("name") or _name_of(video))
    sequence = MaskSequence(name, size, dict(sorted(names.items())), frames, length, rate)
    sequence.timed = rate is not None or bool(times)
    return sequence


def _with_videos(results: list[Any], where: str) -> dict[str, Any]:
    """Results as a file with annotations: the size of a video is that of its masks. Raises MaskError."""
    videos: dict[str, dict[str, Any]] = {}
    for result in list_of_objects({"results": results}, "results", where):
        masks = result.get("segmentations")
        masks = masks if isinstance(masks, list) else []
        number = result.get("video_id")
        video = videos.setdefault(str(number), {"id": number, "length": len(masks)})
        size = next((mask.get("size") for mask in masks if isinstance(mask, dict)), None)
        if isinstance(size, list) and len(size) == 2:
            video |= {"height": size[0], "width": size[1]}
    return {"videos": list(videos.values()), "annotations": results}


def _name_of(video: dict[str, Any]) -> str:
    files = video.get("file_names")
    first = str(files[0]) if isinstance(files, list) and files else ""
    return first.rpartition("/")[0] or str(video.get("id"))


def _ids_of(annotations: list[dict[str, Any]], where: str) -> dict[int, dict[str, Any]]:
    """Annotations by object: their ids where these can be ids of objects, or else 1, 2, …"""
    numbers = [a.get("id") for a in annotations]
    usable = all(isinstance(i, int) and 0 < i < 1 << 16 for i in numbers) and len(set(numbers)) == len(
        numbers
    )
    return {
        object_number(number if usable else place, where): annotation
        for place, (number, annotation) in enumerate(zip(numbers, annotations, strict=True), start=1)
    }


def _segmentations(annotation: dict[str, Any], length: int, where: str) -> list[Any]:
    found = annotation.get("segmentations")
    if not isinstance(found, list) or len(found) != length:
        raise MaskError(
            f"annotation {annotation.get('id')} of {where} has no list of {length} segmentations, one per frame"
        )
    return found


def _times(extra: dict[str, Any], length: int, where: str) -> list[float] | None:
    if extra.get("frame_times") is None:
        return None
    try:
        times = [float(time) for time in extra["frame_times"]]
    except (TypeError, ValueError) as error:
        raise MaskError(f"the frame times in {where} are not numbers") from error
    if len(times) != length:
        raise MaskError(f"{where} has {len(times)} frame times for {length} frames")
    return times
